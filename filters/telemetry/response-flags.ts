import { BytesWriter } from "as-proxy-wasm-sdk";

/**
 * Envoy's short names in the order of the bits of `response.flags` (envoy/stream_info/stream_info.h, CoreResponseFlag).
 */
const NAMES: string[] = [
  "LH",
  "UH",
  "UT",
  "LR",
  "UR",
  "UF",
  "UC",
  "UO",
  "NR",
  "DI",
  "FI",
  "RL",
  "UAEX",
  "RLSE",
  "DC",
  "URX",
  "SI",
  "IH",
  "DPE",
  "UMSDR",
  "RFCF",
  "NFCF",
  "DT",
  "UPE",
  "NC",
  "OM",
  "DF",
  "DO",
  "DR",
  "UDO",
];

/** Appends the names of the flags, joined with ","; "-" when none is set. */
export function writeFlags(to: BytesWriter, flags: u64): void {
  let any = false;
  for (let i = 0; i < NAMES.length; i++) {
    if (((flags >> i) & 1) == 0) continue;
    if (any) to.byte(0x2c);
    to.text(NAMES[i]);
    any = true;
  }
  if (!any) to.byte(0x2d);
}
