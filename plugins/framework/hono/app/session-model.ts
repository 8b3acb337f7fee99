import { datetime, json, text } from "../db/fields.ts"
import { model } from "../db/model.ts"

/** Sessions of visitors. The cookie's id is kept as its SHA-256 only: who reads the table cannot take a session over. */
export const sessions = model(
  "session",
  {
    key: text({ max: 64, unique: true, editable: false }),
    data: json<Record<string, unknown>>({ editable: false }),
    /** Whose it is, as a part says ("user 7"): to list and end all sessions of one person. */
    subject: text({ max: 100, optional: true, index: true, editable: false }),
    expiresAt: datetime({ index: true, editable: false }),
  },
  { table: "edge_session", internal: true },
)
