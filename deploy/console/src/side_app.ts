import { Model } from "./model.js";
import { type Failure, failureOf } from "./rules.js";
import { type Person, personOf, type Side } from "./session.js";

/** One side of the page: who is signed in, and what the app waits for. */
export class SideApp extends Model {
  person?: Person;
  /** What the app waits for, in words. */
  busy = "";
  /** The last refusal, or the network's last error. */
  failure?: Failure;

  #stop = new AbortController();

  /** Aborts when somebody else signs in. */
  protected get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Ends all work of the person before. */
  protected begin(side: Side) {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.person = personOf(side);
  }

  protected async do(what: string, work: () => Promise<void>) {
    this.busy = what;
    this.failure = undefined;
    this.changed();
    const { signal } = this;
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) {
        this.failure = failureOf(error);
      }
    }
    this.busy = "";
    this.changed();
  }
}
