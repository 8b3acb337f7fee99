import { answerExport, type ExportFormat } from "../data/export.ts"
import { listQuery, readState } from "../data/listing.ts"
import type { AdminRequest } from "./request.tsx"

/** GET /admin/<model>/export.csv and .json: every row that the list's filters leave. */
export async function exportView(request: AdminRequest, format: ExportFormat): Promise<Response> {
  const { access, zone, c } = request
  const modelAdmin = await request.modelAdmin()
  if (!(await access.may(modelAdmin, "export"))) request.forbid()
  const state = await readState(access, modelAdmin, { params: new URL(c.req.url).searchParams, zone })
  const { query } = await listQuery(access, modelAdmin, { state, zone })
  return answerExport(c, access, { modelAdmin, query, format })
}
