import { raw } from "hono/html"
import type { Child } from "hono/jsx"
import { currentApp } from "../app/current.ts"

const FONT = "font:16px/1.55 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

/** Around a mail: plain, narrow, readable in the dark. Styles are in attributes, as many mail programs drop the others. */
export function MailPage({ title, children }: { title: string; children?: Child }): Child {
  const site = currentApp()
  return (
    <>
      {raw("<!DOCTYPE html>")}
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <meta name="color-scheme" content="light dark" />
          <title>{title}</title>
        </head>
        <body style={`margin:0;padding:24px;${FONT}`}>
          <div style="max-width:34rem;margin:0 auto">
            <h1 style="font-size:20px;margin:0 0 16px">{title}</h1>
            {children}
            <hr style="border:0;border-top:1px solid #8884;margin:32px 0 12px" />
            <p style="font-size:13px;opacity:.7;margin:0">{site.siteUrl === undefined ? site.title : <a href={site.siteUrl} style="color:inherit">{site.title}</a>}</p>
          </div>
        </body>
      </html>
    </>
  )
}

/** The one thing to do. The address stands below it too: some programs show no buttons, and people like to see it. */
export function MailButton({ href, children }: { href: string; children?: Child }): Child {
  return (
    <p style="margin:24px 0">
      <a href={href} style="display:inline-block;padding:11px 20px;border-radius:8px;background:#1d4ed8;color:#fff;font-weight:600;text-decoration:none">
        {children}
      </a>
    </p>
  )
}
