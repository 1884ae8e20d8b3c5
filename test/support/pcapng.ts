import assert from "node:assert/strict";

export interface Block {
  readonly type: number;
  readonly body: Uint8Array;
  readonly packet?: {
    readonly on: number;
    readonly micros: number;
    readonly bytes: Uint8Array;
    readonly comment?: string;
  };
}

/** Reads a little-endian pcapng capture strictly, for tests. */
export function blocksOf(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; ) {
    const type = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    assert.ok(size >= 12 && size % 4 === 0 && at + size <= file.length, "a block's length is sound");
    assert.equal(view.getUint32(at + size - 4, true), size, "a block is closed by its length");
    const body = file.subarray(at + 8, at + size - 4);
    blocks.push(type === 6 ? { type, body, packet: packetIn(body) } : { type, body });
    at += size;
  }
  return blocks;
}

function packetIn(body: Uint8Array): NonNullable<Block["packet"]> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const captured = view.getUint32(12, true);
  const packet = {
    on: view.getUint32(0, true),
    micros: view.getUint32(4, true) * 2 ** 32 + view.getUint32(8, true),
    bytes: body.slice(20, 20 + captured),
  };
  for (let at = 20 + Math.ceil(captured / 4) * 4; at < body.length; ) {
    const code = view.getUint16(at, true);
    const size = view.getUint16(at + 2, true);
    if (code === 1) return { ...packet, comment: new TextDecoder().decode(body.subarray(at + 4, at + 4 + size)) };
    at += 4 + Math.ceil(size / 4) * 4;
  }
  return packet;
}
