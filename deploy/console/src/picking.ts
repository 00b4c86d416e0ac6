import { Model } from "./model.js";
import type { End } from "./rider.js";

/** What the next click on the map sets. */
export class Picking extends Model {
  target?: End | "car";

  set(target: End | "car" | undefined) {
    this.target = target;
    this.changed();
  }
}
