// What authorization asks of a request.
import { ABSENT, Span } from "./bytes";
import { IpAddress } from "./cidr";
import { ClaimPath, ClaimValue } from "./jwt-claims";
import { Principal } from "./principal";
import { LenientForm } from "./request-text";
import { SpanList } from "./span-list";

/** What a condition looks at. */
export enum Subject {
  Principal,
  TrustDomain,
  Namespace,
  ServiceAccount,
  RequestPrincipal,
  PeerIp,
  RemoteIp,
  DestinationIp,
  DestinationPort,
  Host,
  Method,
  Path,
  Header,
  ServerName,
  /** A claim of the verified token: a text, or a list of which any element counts. */
  Claim,
  /** A filter's dynamic metadata: texts and lists have patterns of their own. */
  Metadata,
  /** A query parameter. */
  Query,
}

/** What a decision reads of a request; implementations look things up when first asked. */
export abstract class AuthorizationRequest {
  /** `:method`. */
  abstract method(): Span;
  /** `:path` without query and fragment, as it goes on to the application. */
  abstract path(): Span;
  /**
   * The path as a lenient application may read it (`lenientPath`); the same view as `path` where there is nothing to
   * read in two ways.
   */
  abstract lenientPath(form: LenientForm): Span;
  /** What follows the `?` of `:path`; empty when there is none. */
  abstract query(): Span;
  /** `:authority`. */
  abstract authority(): Span;
  /** The authenticated peer; all parts absent without mutual TLS. */
  abstract principal(): Principal;
  /** `<issuer>/<subject>` of the verified token, or ABSENT. */
  abstract requestPrincipal(): Span;
  /** The address at the other end of the connection. */
  abstract peerIp(): IpAddress;
  /** The client's address as forwarding headers tell, to the degree Envoy is configured to believe them. */
  abstract remoteIp(): IpAddress;
  abstract destinationIp(): IpAddress;
  abstract destinationPort(): i32;
  /** The SNI, or ABSENT. */
  abstract serverName(): Span;
  /** Puts every value of a header (one per line it stood on) into `values`. */
  abstract headerValues(name: Span, values: SpanList): void;
  /**
   * Adds the values of headers that applications may take for this one: `x_role` is `x-role` to whoever makes a
   * variable
   * of a header's name.
   */
  abstract alikeHeaderValues(name: Span, values: SpanList): void;
  /** Returns all values joined with ",", as Envoy's own matching sees them; ABSENT when there is none. */
  abstract joinedHeader(name: Span): Span;
  /** Reads a claim, or another value of dynamic metadata. */
  abstract metadata(path: ClaimPath, value: ClaimValue): void;

  /** The one text of a subject that is a single text which can be read in one way only; ABSENT for the others. */
  text(subject: Subject): Span {
    switch (subject) {
      case Subject.Principal:
        return this.principal().name;
      case Subject.TrustDomain:
        return this.principal().trustDomain;
      case Subject.Namespace:
        return this.principal().namespace;
      case Subject.RequestPrincipal:
        return this.requestPrincipal();
      case Subject.Method:
        return this.method();
      case Subject.ServerName:
        return this.serverName();
      default:
        return ABSENT;
    }
  }

  /** The address that a subject is. */
  address(subject: Subject): IpAddress {
    if (subject == Subject.PeerIp) return this.peerIp();
    return subject == Subject.RemoteIp ? this.remoteIp() : this.destinationIp();
  }
}
