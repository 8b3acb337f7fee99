/** In dev: the error in the browser, with its file and line, and a look every second whether it is gone. */
import { HeaderList } from "../http/message/headers.ts"
import { Reply } from "../http/message/reply.ts"

export function problemPage(text: string): Reply {
  const headers = new HeaderList(["Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store"])
  return new Reply(500, headers, page(escape(text)))
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const page = (text: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="1">
<title>edge: not right yet</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }
pre { overflow: auto; padding: 1rem; border-left: 4px solid #d33; background: #8882; font: 14px/1.5 ui-monospace, monospace }
</style>
<h1>Not right yet</h1>
<pre>${text}</pre>
<p>The last good version is kept; this page looks again by itself when you save.</p>
</html>
`
