// What an Envoy's admin page /certs says.

/** Returns the serial numbers of the certificates that an Envoy shows its peers. */
export function serialsOf(certificates: string): string[] {
  const all = (JSON.parse(certificates) as { certificates: { cert_chain?: { serial_number: string }[] }[] })
    .certificates;
  return all.flatMap(({ cert_chain: chain = [] }) => chain.map(({ serial_number: serial }) => serial));
}
