// QuotaSpec and QuotaSpecBinding: the classic quota pair. A quota's bucket holds maxAmount and regains it per interval.
import {
  anything,
  duration,
  fields,
  integer,
  labelMap,
  listOf,
  mapOf,
  notYet,
  opt,
  type SpecFrom,
  text,
} from "../schema.ts";

const override = fields({
  /** The workload (or service account) whose requests the override is for: an identity, never a header. */
  dimensions: fields({ source: text() }),
  maxAmount: integer(1),
  interval: opt(duration()),
});

const quota = fields({
  name: text(),
  maxAmount: integer(1),
  interval: duration(),
  charge: opt(integer(1)),
  overrides: opt(listOf(override)),
  quota: notYet(text()),
});

/** The schema of a QuotaSpec's spec. */
export const quotaSpecSchema = fields({
  rules: listOf(
    fields({
      match: opt(
        listOf(fields({ destination: opt(fields({ labels: opt(labelMap()) })), clause: notYet(mapOf(anything())) })),
      ),
      quotas: listOf(quota, 1),
    }),
    1,
  ),
});

/** The schema of a QuotaSpecBinding's spec. A missing namespace is the binding's own. */
export const quotaSpecBindingSchema = fields({
  services: listOf(
    fields({
      name: text(),
      namespace: opt(text()),
      domain: notYet(text()),
      service: notYet(text()),
      labels: notYet(labelMap()),
    }),
    1,
  ),
  quotaSpecs: listOf(fields({ name: text(), namespace: opt(text()) }), 1),
});

export type QuotaSpecSpec = SpecFrom<typeof quotaSpecSchema>;
export type QuotaSpec = SpecFrom<typeof quota>;
export type QuotaOverrideSpec = SpecFrom<typeof override>;
export type QuotaSpecBindingSpec = SpecFrom<typeof quotaSpecBindingSchema>;
