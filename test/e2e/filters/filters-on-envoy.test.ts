import { describeFilters } from "./filter-cases.ts";

describeFilters("separate");
