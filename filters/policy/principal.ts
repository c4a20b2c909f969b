// consumes: the URI a peer's certificate carries
// produces: its parts, as views into it
// never does: accept an identity that is not exactly spiffe://<trust domain>/ns/<namespace>/sa/<service account> for
// namespace and service account
import { ABSENT, cut, equals, indexOf, lengthOf, Span, startsWith, utf8, viewOf } from "./bytes";

const SCHEME = utf8("spiffe://");
const NS = utf8("ns");
const SA = utf8("sa");

/** The parts of a SPIFFE id; the views point into the text that was read. */
export class Principal {
  /**
   * The id without `spiffe://`, as Istio's `principals` write it; ABSENT when there is no authenticated peer with a
   * SPIFFE id.
   */
  name: Span = ABSENT;
  trustDomain: Span = ABSENT;
  namespace: Span = ABSENT;
  serviceAccount: Span = ABSENT;

  /** Forgets the identity. */
  clear(): void {
    this.name = ABSENT;
    this.trustDomain = ABSENT;
    this.namespace = ABSENT;
    this.serviceAccount = ABSENT;
  }

  /**
   * Reads a URI SAN. Anything that is not a SPIFFE URI leaves all parts absent; other SPIFFE paths leave all but `name`
   * and `trustDomain` absent.
   */
  read(uri: Span): void {
    this.clear();
    const scheme = viewOf(SCHEME);
    if (!startsWith(uri, scheme) || lengthOf(uri) == lengthOf(scheme)) return;
    const name = cut(uri, lengthOf(scheme), lengthOf(uri));
    this.name = name;
    const a = indexOf(name, 0x2f, 0);
    if (a > 0) this.trustDomain = cut(name, 0, a);
    const b = a < 0 ? -1 : indexOf(name, 0x2f, a + 1);
    const c = b < 0 ? -1 : indexOf(name, 0x2f, b + 1);
    const d = c < 0 ? -1 : indexOf(name, 0x2f, c + 1);
    if (d < 0 || indexOf(name, 0x2f, d + 1) >= 0) return;
    if (!equals(cut(name, a + 1, b), viewOf(NS)) || !equals(cut(name, c + 1, d), viewOf(SA))) return;
    if (a == 0 || c == b + 1 || d == lengthOf(name) - 1) return;
    this.namespace = cut(name, b + 1, c);
    this.serviceAccount = cut(name, d + 1, lengthOf(name));
  }
}
