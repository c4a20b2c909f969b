import { describeFilters } from "./filter-cases.ts";

describeFilters("fused");
