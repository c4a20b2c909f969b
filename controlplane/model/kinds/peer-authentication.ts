// PeerAuthentication: whether workloads accept plaintext, mutual TLS, or both.
// Field facts: https://istio.io/latest/docs/reference/config/security/peer_authentication/
import { choice, fields, mapOf, matchLabelsSelector, opt, type SpecFrom } from "../schema.ts";

const mtls = fields({ mode: opt(choice(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"])) });

/** The schema of a PeerAuthentication's spec. Keys of portLevelMtls are workload ports in decimal. */
export const peerAuthenticationSchema = fields({
  selector: opt(matchLabelsSelector),
  mtls: opt(mtls),
  portLevelMtls: opt(mapOf(mtls)),
});

export type PeerAuthenticationSpec = SpecFrom<typeof peerAuthenticationSchema>;
