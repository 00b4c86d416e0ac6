import { useEffect, useReducer } from "preact/hooks";

/** State that is on the page. */
export class Model {
  readonly #listeners = new Set<() => void>();

  /** Calls `listener` after each change. Returns the function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  protected changed() {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

/** Draws the component anew after each change of the model. */
export function useModel<T extends Model>(model: T): T {
  const [, redraw] = useReducer<number, void>((count) => count + 1, 0);
  useEffect(() => {
    redraw(); // For a change before this effect.
    return model.subscribe(() => redraw());
  }, [model]);
  return model;
}

/** Milliseconds of a clock that nobody sets; redraws every `period`. */
export function useClock(period: number): number {
  const [now, tick] = useReducer<number, void>(() => performance.now(), performance.now());
  useEffect(() => {
    const timer = setInterval(() => tick(), period);
    return () => clearInterval(timer);
  }, [period]);
  return now;
}
