import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";

/**
 * Readiness of descriptors from the event loop that Node itself runs: `uv_poll_*` of the libuv in the node binary, with
 * the reference counting that sockets of Node have.
 */
export class Libuv {
  readonly #call: { readonly [Name in keyof typeof declarations]: (...numbers: number[]) => number };
  readonly #loop: number;
  readonly #handleSize: number;
  readonly #callback: number;
  /** What frees a handle when libuv is done with it: no JavaScript has to run for that. */
  readonly #free: number;
  readonly #watches = new Map<number, Watch>();
  #ready: Watch[] = [];
  #isScheduled = false;

  /** Opens it; throws with the reason if anything is in doubt. */
  constructor() {
    // The default loop belongs to the main thread; a worker's loop cannot be asked for.
    if (!isMainThread) throw new Error("the loop of a worker thread is not to be had");
    const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
    const program = koffi.load(null);
    const version: unknown = program.func("const char *uv_version_string()")();
    if (version !== process.versions.uv) {
      throw new Error(`the program's libuv is ${String(version)}, and node was built with ${process.versions.uv}`);
    }
    this.#call = Object.fromEntries(
      Object.entries(declarations).map(([name, declaration]) => [name, program.func(declaration)]),
    ) as unknown as Libuv["call"];
    this.#loop = this.#call.uv_default_loop();
    this.#handleSize = this.#call.uv_handle_size(pollType);
    if (this.#loop === 0 || this.#handleSize < 64 || this.#handleSize > 4096) throw new Error("libuv's sizes are odd");
    this.#free = Number(koffi.address(program.symbol("free")));
    const prototype = koffi.proto("void", ["uintptr_t", "int", "int"]);
    this.#callback = Number(koffi.register(this.#called, koffi.pointer(prototype)));
    // While a process ends, Node turns the loop a last time, and JavaScript may not be called any more.
    process.once("exit", () => {
      for (const handle of this.#watches.keys()) this.#call.uv_poll_stop(handle);
    });
  }

  get call(): { readonly [Name in keyof typeof declarations]: (...numbers: number[]) => number } {
    return this.#call;
  }

  /** Calls while the descriptor has something to read, or room if that was asked for. Throws if libuv refuses. */
  watch(descriptor: number, ready: () => void): Watch {
    const handle = this.#call.malloc(this.#handleSize);
    if (handle === 0) throw new Error("no memory for a poll handle");
    const status = this.#call.uv_poll_init(this.#loop, handle, descriptor);
    if (status !== 0) {
      this.#call.free(handle);
      throw new Error(`uv_poll_init answered ${status}`);
    }
    const watch = new Watch(this, handle, ready);
    this.#watches.set(handle, watch);
    return watch;
  }

  /** For `Watch` alone. */
  start(handle: number, events: number): void {
    this.#call.uv_poll_start(handle, events, this.#callback);
  }

  /** For `Watch` alone. */
  stop(handle: number): void {
    this.#call.uv_poll_stop(handle);
  }

  /** For `Watch` alone. */
  close(handle: number): void {
    this.#watches.delete(handle);
    this.#call.uv_poll_stop(handle);
    this.#call.uv_close(handle, this.#free);
  }

  /**
   * Only notes who is ready: microtasks, exceptions and async hooks are as they should be in a callback that Node itself
   * makes, and an immediate runs right after this phase of the loop.
   */
  readonly #called = (handle: number, status: number, _events: number): void => {
    const watch = this.#watches.get(handle);
    if (watch === undefined) return;
    // libuv stops a handle whose descriptor has an error waiting.
    if (status < 0) watch.isStopped = true;
    if (watch.isReady) return;
    watch.isReady = true;
    this.#ready.push(watch);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#tell);
  };

  readonly #tell = (): void => {
    this.#isScheduled = false;
    const ready = this.#ready;
    this.#ready = [];
    for (const watch of ready) watch.isReady = false;
    // Who is not reached because another throws is ready still, and is told in the loop's next turn.
    for (const watch of ready) watch.tell();
  };
}

/** One descriptor's readiness. It holds the process open until `unref` or `close`. */
export class Watch {
  readonly #libuv: Libuv;
  #handle: number;
  readonly #ready: () => void;
  #wantsRoom = false;
  #wantsData = true;
  isReady = false;
  isStopped = true;

  constructor(libuv: Libuv, handle: number, ready: () => void) {
    this.#libuv = libuv;
    this.#handle = handle;
    this.#ready = ready;
    this.#start();
  }

  /** Call, too, while the descriptor has room for writing? */
  set wantsRoom(wanted: boolean) {
    if (wanted === this.#wantsRoom) return;
    this.#wantsRoom = wanted;
    this.#start();
  }

  /** Call while the descriptor has something to read? It does unless told not to. */
  set wantsData(wanted: boolean) {
    if (wanted === this.#wantsData) return;
    this.#wantsData = wanted;
    this.#start();
  }

  ref(): void {
    if (this.#handle !== 0) this.#libuv.call.uv_ref(this.#handle);
  }

  unref(): void {
    if (this.#handle !== 0) this.#libuv.call.uv_unref(this.#handle);
  }

  /** After it the descriptor may be closed. */
  close(): void {
    if (this.#handle === 0) return;
    this.#libuv.close(this.#handle);
    this.#handle = 0;
  }

  tell(): void {
    if (this.#handle === 0) return;
    this.#ready();
    if (this.isStopped) this.#start();
  }

  #start(): void {
    if (this.#handle === 0) return;
    this.isStopped = false;
    const events = (this.#wantsData ? readable : 0) | (this.#wantsRoom ? writable : 0);
    if (events === 0) this.#libuv.stop(this.#handle);
    else this.#libuv.start(this.#handle, events);
  }
}

const declarations = {
  malloc: "uintptr_t malloc(size_t size)",
  free: "void free(uintptr_t memory)",
  uv_default_loop: "uintptr_t uv_default_loop()",
  uv_handle_size: "size_t uv_handle_size(int type)",
  uv_poll_init: "int uv_poll_init(uintptr_t loop, uintptr_t handle, int descriptor)",
  uv_poll_start: "int uv_poll_start(uintptr_t handle, int events, uintptr_t callback)",
  uv_poll_stop: "int uv_poll_stop(uintptr_t handle)",
  uv_close: "void uv_close(uintptr_t handle, uintptr_t callback)",
  uv_ref: "void uv_ref(uintptr_t handle)",
  uv_unref: "void uv_unref(uintptr_t handle)",
} as const;

/** UV_POLL, UV_READABLE, UV_WRITABLE. */
const pollType = 8;
const readable = 1;
const writable = 2;
