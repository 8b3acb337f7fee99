import { version } from "../package.json" with { type: "json" }

/** Put in by the build; from source there is none. */
declare const EDGE_COMMIT: string | undefined

export const edgeVersion: string = version
export const commit: string = typeof EDGE_COMMIT === "string" ? EDGE_COMMIT : "source"
