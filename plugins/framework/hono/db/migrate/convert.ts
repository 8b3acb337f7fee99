/**
 * Values of one form as values of another, in SQL: exact, or the migration stops at the first that cannot be. By
 * themselves SQLite makes 0 of "SW1A 1AA", and PostgreSQL 1.24 of 1.239.
 */
import { MOST_DIGITS } from "../decimal.ts"
import type { Dialect } from "../tables.ts"
import type { Form } from "./schema.ts"

export interface Conversion {
  /** The new value. */
  readonly value: string
  /** Holds for a value that has no exact counterpart; undefined: each has one. */
  readonly unfit?: string
}

/** How column `x` (quoted) changes its form; undefined: no value of one is one of the other. */
export function conversion(x: string, from: Form, o: { readonly to: Form; readonly dialect: Dialect }): Conversion | undefined {
  const [a, b] = [kindOf(from), kindOf(o.to)]
  const table = o.dialect === "sqlite" ? SQLITE : POSTGRES
  return table[`${a} ${b}`]?.(x, { from: scaleOf(from), to: scaleOf(o.to), type: o.to.replace("decimal", "numeric") })
}

export function scaleOf(form: Form): number {
  return Number(/(\d+)\)$/.exec(form)?.[1] ?? 0)
}

function kindOf(form: Form): string {
  return form.startsWith("decimal") ? "decimal" : form
}

interface Scales {
  readonly from: number
  readonly to: number
  /** PostgreSQL's type of the new column, when it is a decimal. */
  readonly type: string
}
type Conversions = Readonly<Record<string, ((x: string, scales: Scales) => Conversion) | undefined>>

const SAFE = "9007199254740991"
const power = (n: number) => (10n ** BigInt(n)).toString()
const unsafe = (x: string) => `${x} NOT BETWEEN -${SAFE} AND ${SAFE}`

/** SQLite's division cuts towards zero. */
const floorDiv = (x: string, by: number) => `((${x}) - (((${x}) % ${by}) + ${by}) % ${by}) / ${by}`
const HEX = (n: number) => "[0-9a-f]".repeat(n)
const UUID = [8, 4, 4, 4, 12].map(HEX).join("-")

const SQLITE: Conversions = {
  "integer text": x => ({ value: `CAST(${x} AS text)` }),
  "number text": x => ({
    value: `CASE WHEN ${x} = CAST(${x} AS integer) AND abs(${x}) <= ${SAFE} THEN CAST(CAST(${x} AS integer) AS text) WHEN CAST(CAST(${x} AS text) AS real) = ${x} THEN CAST(${x} AS text) ELSE printf('%!.17g', ${x}) END`,
  }),
  "decimal text": (x, { from }) => ({
    value: from === 0 ? `CAST(${x} AS text)` : `CASE WHEN ${x} < 0 THEN '-' ELSE '' END || (abs(${x}) / ${power(from)}) || '.' || printf('%0${from}d', abs(${x}) % ${power(from)})`,
  }),
  "boolean text": x => ({ value: `CASE ${x} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END` }),
  "date text": x => ({ value: x }),
  "datetime text": x => ({ value: `strftime('%Y-%m-%dT%H:%M:%S', ${floorDiv(x, 1000)}, 'unixepoch') || printf('.%03dZ', ((${x} % 1000) + 1000) % 1000)` }),
  "uuid text": x => ({ value: x }),
  "json text": x => ({ value: `CASE json_type(${x}) WHEN 'text' THEN json_extract(${x}, '$') ELSE ${x} END` }),

  "text integer": x => ({ value: `CAST(${x} AS integer)`, unfit: `${x} <> CAST(CAST(${x} AS integer) AS text) OR ${unsafe(`CAST(${x} AS integer)`)}` }),
  "text number": x => ({ value: `CAST(${x} AS real)`, unfit: `${x} GLOB '*[^-+0-9.eE]*' OR NOT json_valid(${x}) OR abs(CAST(${x} AS real)) > 1.7976931348623157e308` }),
  "text decimal": (x, { to }) => {
    const point = `instr(${x} || '.', '.')`
    const [whole, part] = [`substr(${x}, 1, ${point} - 1)`, `substr(${x}, ${point} + 1)`]
    return {
      value: `CAST(${whole} || substr(${part} || '${"0".repeat(to)}', 1, ${to}) AS integer)`,
      unfit: `${x} GLOB '*[^-0-9.]*' OR NOT json_valid(${x}) OR length(rtrim(${part}, '0')) > ${to} OR length(ltrim(${whole}, '-0')) > ${MOST_DIGITS - to}`,
    }
  },
  "text boolean": x => ({ value: `CASE ${x} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END`, unfit: `${x} NOT IN ('true', 'false')` }),
  "text date": x => ({ value: x, unfit: `${x} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' OR date(julianday(${x})) IS NOT ${x} OR ${x} < '0001-01-01'` }),
  "text datetime": x => ({
    value: `CAST(strftime('%s', ${x}) AS integer) * 1000 + CAST(substr(${x}, 21, 3) AS integer)`,
    unfit: `${x} NOT GLOB '????-??-??T??:??:??.[0-9][0-9][0-9]Z' OR date(julianday(substr(${x}, 1, 10))) IS NOT substr(${x}, 1, 10) OR time(substr(${x}, 12, 8)) IS NOT substr(${x}, 12, 8) OR ${x} < '0001'`,
  }),
  "text uuid": x => ({ value: `lower(${x})`, unfit: `lower(${x}) NOT GLOB '${UUID}'` }),
  "text json": x => ({ value: `json_quote(${x})` }),

  "integer number": x => ({ value: `CAST(${x} AS real)` }),
  "integer boolean": x => ({ value: x, unfit: `${x} NOT IN (0, 1)` }),
  "integer decimal": (x, { to }) => ({ value: `${x} * ${power(to)}`, unfit: `abs(${x}) >= ${power(MOST_DIGITS - to)}` }),
  "boolean integer": x => ({ value: x }),
  "number integer": x => ({ value: `CAST(${x} AS integer)`, unfit: `${x} <> CAST(${x} AS integer) OR ${unsafe(x)}` }),
  "number decimal": (x, { to }) => ({
    value: `CAST(round(${x} * 1e${to}) AS integer)`,
    unfit: `abs(${x} * 1e${to}) > ${SAFE} OR CAST(round(${x} * 1e${to}) AS integer) / 1e${to} <> ${x}`,
  }),
  "decimal number": (x, { from }) => ({ value: `${x} / 1e${from}`, unfit: unsafe(x) }),
  "decimal integer": (x, { from }) => ({ value: `${x} / ${power(from)}`, unfit: `${x} % ${power(from)} <> 0 OR ${unsafe(`${x} / ${power(from)}`)}` }),
  "decimal decimal": (x, { from, to }) =>
    to >= from
      ? { value: `${x} * ${power(to - from)}`, unfit: `abs(${x}) >= ${power(MOST_DIGITS - to + from)}` }
      : { value: `${x} / ${power(from - to)}`, unfit: `${x} % ${power(from - to)} <> 0` },
  "date datetime": x => ({ value: `CAST(strftime('%s', ${x}) AS integer) * 1000` }),
  "datetime date": x => ({ value: `strftime('%Y-%m-%d', ${x} / 1000, 'unixepoch')`, unfit: `${x} % 86400000 <> 0` }),
}

const utc = (x: string) => `(${x} AT TIME ZONE 'UTC')`
const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`
const DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"

const POSTGRES: Conversions = {
  "integer text": x => ({ value: `${x}::text` }),
  "number text": x => ({ value: `${x}::text` }),
  "decimal text": x => ({ value: `${x}::text` }),
  "boolean text": x => ({ value: `${x}::text` }),
  "date text": x => ({ value: `to_char(${x}, 'YYYY-MM-DD')` }),
  "datetime text": x => ({ value: `to_char(${utc(x)}, ${ISO})` }),
  "uuid text": x => ({ value: `${x}::text` }),
  "json text": x => ({ value: `CASE jsonb_typeof(${x}) WHEN 'string' THEN ${x} #>> '{}' ELSE ${x}::text END` }),

  "text integer": x => ({ value: `${x}::bigint`, unfit: `${x} !~ '^(0|-?[1-9][0-9]{0,15})$' OR CASE WHEN ${x} ~ '^-?[0-9]{1,16}$' THEN ${unsafe(`${x}::numeric`)} ELSE true END` }),
  "text number": x => ({ value: `${x}::double precision`, unfit: `${x} !~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?$'` }),
  "text decimal": (x, { to, type }) => ({ value: `${x}::${type}`, unfit: `${x} !~ '^-?(0|[1-9][0-9]*)([.][0-9]{1,${Math.max(to, 1)}}0*)?$'${to === 0 ? ` OR ${x} ~ '[.].*[1-9]'` : ""}` }),
  "text boolean": x => ({ value: `${x} = 'true'`, unfit: `${x} NOT IN ('true', 'false')` }),
  "text date": x => ({ value: `${x}::date`, unfit: `${dayUnfit(x)} OR ${x} !~ '${DAY}$'` }),
  "text datetime": x => ({ value: `${x}::timestamptz`, unfit: `${dayUnfit(x)} OR ${x} !~ '${DAY}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{3}Z$'` }),
  "text uuid": x => ({ value: `${x}::uuid`, unfit: `lower(${x}) !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'` }),
  "text json": x => ({ value: `to_jsonb(${x})` }),

  "integer number": x => ({ value: `${x}::double precision` }),
  "integer boolean": x => ({ value: `${x} <> 0`, unfit: `${x} NOT IN (0, 1)` }),
  "integer decimal": (x, { type }) => ({ value: `${x}::${type}` }),
  "boolean integer": x => ({ value: `${x}::int::bigint` }),
  "number integer": x => ({ value: `${x}::bigint`, unfit: `${x} <> trunc(${x}) OR ${unsafe(x)}` }),
  "number decimal": (x, { to, type }) => ({ value: `round(${x}::numeric, ${to})::${type}`, unfit: `round(${x}::numeric, ${to})::double precision <> ${x}` }),
  "decimal number": (x, { from }) => ({ value: `${x}::double precision`, unfit: unsafe(`${x} * ${power(from)}`) }),
  "decimal integer": x => ({ value: `${x}::bigint`, unfit: `${x} <> trunc(${x}) OR ${unsafe(x)}` }),
  "decimal decimal": (x, { from, to, type }) => (to >= from ? { value: `${x}::${type}` } : { value: `${x}::${type}`, unfit: `${x} <> round(${x}, ${to})` }),
  "date datetime": x => ({ value: `${x}::timestamp AT TIME ZONE 'UTC'` }),
  "datetime date": x => ({ value: `${utc(x)}::date`, unfit: `${utc(x)}::time <> '00:00'` }),
}

/** make_date throws for 30 February; so the days of the month are counted from the text. */
function dayUnfit(x: string): string {
  const [year, month, day] = [`substr(${x}, 1, 4)::int`, `substr(${x}, 6, 2)::int`, `substr(${x}, 9, 2)::int`]
  const last = `extract(day FROM make_date(${year}, ${month}, 1) + interval '1 month' - interval '1 day')`
  return `CASE WHEN ${x} ~ '${DAY}' AND ${x} >= '0001' THEN ${day} > ${last} ELSE true END`
}
