// Who uses the page: a token for the rider and one for the driver, kept by this tab until it is closed.
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

export type Side = "rider" | "driver";
export const SIDES: Side[] = ["rider", "driver"];

export interface Person {
  /** The token's subject. */
  id: string;
  expires: Date;
}

const keyOf = (side: Side) => `hail.token.${side}`;

function claimsOf(token: string): Record<string, unknown> {
  const payload = token.split(".")[1] ?? "";
  const bytes = Uint8Array.from(atob(payload.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
}

/** Reads a token. The edge checks it; the page only needs to know whose it is. Throws an error for people. */
function read(token: string): { side: Side; person: Person } {
  let claims;
  try {
    claims = claimsOf(token);
  } catch {
    throw new Error("This is not a token.");
  }
  const audiences = [claims.aud].flat();
  const side = SIDES.find((each) => audiences.includes(`hail-${each}`));
  if (!side || typeof claims.sub !== "string" || typeof claims.exp !== "number") {
    throw new Error("This is no rider's and no driver's token: it lacks aud, sub or exp.");
  }
  return { side, person: { id: claims.sub, expires: new Date(claims.exp * 1000) } };
}

/** Keeps a token in this tab, for the side that it is for. Throws an error for people. */
export function signIn(text: string): Side {
  const token = text.trim();
  const { side } = read(token);
  sessionStorage.setItem(keyOf(side), token);
  return side;
}

export function signOut(side: Side) {
  sessionStorage.removeItem(keyOf(side));
}

export function personOf(side: Side): Person | undefined {
  const token = sessionStorage.getItem(keyOf(side));
  return token ? read(token).person : undefined;
}

/** Moves tokens of the address (#token=…) to the tab, so that neither history nor a copied address has them. Servers
 *  never see this part of an address. Returns whose tokens there were. */
export function takeTokensFromAddress(): Side[] {
  const parts = location.hash.slice(1).split("&");
  const rest = parts.filter((part) => !part.startsWith("token="));
  if (rest.length === parts.length) {
    return [];
  }
  history.replaceState(null, "", `#${rest.join("&")}`);
  return parts.filter((part) => !rest.includes(part)).flatMap((part) => {
    try {
      return signIn(decodeURIComponent(part.slice("token=".length)));
    } catch (error) {
      console.error(error); // A damaged link: the form asks for a token.
      return [];
    }
  });
}

/** gRPC-Web to the edge that serves the page. The token is read for each attempt: a stream that resumes has the new one. */
export function transportOf(side: Side): Transport {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${sessionStorage.getItem(keyOf(side))}`);
    return next(request);
  };
  return createGrpcWebTransport({ baseUrl: location.origin, interceptors: [authorize] });
}

/** A new id, random enough to be nobody else's. crypto.randomUUID exists over TLS and on localhost only. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
