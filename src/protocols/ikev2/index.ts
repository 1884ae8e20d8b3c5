export { groupOf, type IkeAlgorithms, prfOf } from "./algorithms.js";
export { answerIke, type IkeKnowledge } from "./answers.js";
export type { SwanctlWarning } from "./config/entries.js";
export { parseSwanctl, type ReadNamed, type SwanctlFile } from "./config/swanctl.js";
export { type UsedSwanctl, useSwanctl } from "./config/use.js";
export { bindIke, IkeEndpoint, type IkeNotice, type IkeOptions, IkeSession } from "./door.js";
export { type DropCounts, type DropReason, failure as ikeFailure, type IkeFailure, type IkeReason } from "./failure.js";
export { certificateIs, type IkeId, idText, ikeId, sameId, subjectId } from "./identity.js";
export type {
  EapAnswer,
  EapTurn,
  IkeAsks,
  IkeChild,
  IkeConfig,
  IkeConnection,
  IkeEvent,
  IkeInput,
  IkeLimits,
  IkeStatus,
  LocalAuthentication,
  PeerChain,
  PeerVerdict,
  RemoteAuthentication,
} from "./interfaces.js";
export { Ike } from "./machine.js";
export { profile } from "./profile.js";
export { defaultEspProposals, defaultIkeProposals, espProposal, ikeProposal, type Offer } from "./proposals.js";
export { selector } from "./selectors.js";
export { isMarked } from "./wire/header.js";
