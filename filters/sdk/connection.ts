import { CONNECTION_MTLS } from "./attributes";
import { callbackSerial } from "./callbacks";
import { getBooleanProperty } from "./properties";

let askedIn: u64 = 0;
let answer: bool = false;

/** Whether the client proved who it is by a certificate (connection.mtls). Asked of the host once per callback. */
export function isMutualTls(): bool {
  const now = callbackSerial();
  if (askedIn != now) {
    askedIn = now;
    answer = getBooleanProperty(CONNECTION_MTLS);
  }
  return answer;
}
