import { answerExport, type ExportFormat } from "./export.ts"
import { listQuery, readState } from "./listing.ts"
import type { Visit } from "./visit.tsx"

/** GET /admin/<model>/export.csv and .json: every row that the list's filters leave. */
export async function exportView(visit: Visit, format: ExportFormat): Promise<Response> {
  const { access, zone, c } = visit
  const desk = await visit.desk()
  if (!(await access.may(desk, "export"))) visit.forbid()
  const levels = await access.levels(desk)
  const state = readState(desk, new URL(c.req.url).searchParams, { levels, zone })
  const { query } = await listQuery(access, desk, { state, zone, levels })
  return answerExport(c, access, { desk, query, format })
}
