import * as v from "valibot"

const entryPattern = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*(:[\p{L}_][\p{L}\p{N}_.]*(\(.*\))?)?$/u

/** What every Python runtime asks for; spread into its strictObject. */
export const pythonOptions = {
  entry: v.pipe(
    v.string(),
    v.regex(entryPattern, 'expected "module:attribute", "module:factory()", "module:factory(\'literal\')" or "module"'),
    v.description('the application: "module:attribute", "module:factory()" also with literals as arguments, or "module" for its `application` or `app`'),
  ),
  python: v.pipe(
    v.optional(v.pipe(v.string(), v.nonEmpty()), "python3"),
    v.description("the interpreter, 3.9 or newer: a command, or a path such as venv/bin/python"),
  ),
  preload: v.pipe(
    v.optional(v.boolean(), false),
    v.description("import the app once and fork the workers from there: they share its memory and start at once"),
  ),
}
