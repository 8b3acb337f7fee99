import { NotFound } from "../../db/errors.ts"
import { slugify } from "../../db/slug.ts"
import type { AdminRequest } from "./request.tsx"

/**
 * GET /admin/<model>/slug/<field>?of=: the slug of a text, for the script: the tables that know the letters of the
 * world (34 KB) stay here. "" where the text has none; saving gives a random one then.
 */
export async function slugView(request: AdminRequest): Promise<Response> {
  const { c } = request
  const modelAdmin = await request.modelAdmin({ inner: true })
  const key = c.req.param("field") ?? ""
  const field = key in modelAdmin.model.fields ? modelAdmin.field(key) : undefined
  if (field?.kind !== "slug") throw new NotFound("no such slug")
  c.header("Cache-Control", "private, no-store")
  return c.json({ slug: slugify(c.req.query("of") ?? "", field.options.max) })
}
