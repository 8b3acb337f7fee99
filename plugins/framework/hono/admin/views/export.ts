import { answerExport, type ExportFormat } from "../data/export.ts"
import { listQuery, readState } from "../data/listing.ts"
import type { Visit } from "./request.tsx"

/** GET /admin/<model>/export.csv and .json: every row that the list's filters leave. */
export async function exportView(visit: Visit, format: ExportFormat): Promise<Response> {
  const { access, zone, c } = visit
  const desk = await visit.desk()
  if (!(await access.may(desk, "export"))) visit.forbid()
  const state = await readState(access, desk, { params: new URL(c.req.url).searchParams, zone })
  const { query } = await listQuery(access, desk, { state, zone })
  return answerExport(c, access, { desk, query, format })
}
