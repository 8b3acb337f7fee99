import { Hono } from "hono"
import { html } from "hono/html"
import type { Child } from "hono/jsx"
import * as v from "valibot"
import { posts } from "./posts.ts"

const app = new Hono()

const Page = (props: { title: string; children: Child }) => html`<!doctype html>${(<Document {...props} />)}`

const Document = ({ title, children }: { title: string; children: Child }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{title}</title>
      <link rel="stylesheet" href="/style.css" />
    </head>
    <body>
      <main>
        <p class="crumb">
          <a href="/">edge demo</a> / <a href="/blog/">blog</a>
        </p>
        <h1>{title}</h1>
        {children}
        <footer>Hono and JSX in worker process {process.pid}, with no node_modules and no build.</footer>
      </main>
    </body>
  </html>
)

app.get("/", c =>
  c.html(
    <Page title="Blog">
      <ul class="cards">
        {posts.map(post => (
          <li>
            <a href={`/blog/posts/${post.id}`}>{post.title}</a>
            <p>{post.teaser}</p>
          </li>
        ))}
      </ul>
    </Page>,
  ),
)

app.get("/posts/:id", c => {
  const id = v.safeParse(v.pipe(v.string(), v.digits(), v.transform(Number)), c.req.param("id"))
  const post = id.success ? posts.find(p => p.id === id.output) : undefined
  if (post === undefined) return c.notFound()
  return c.html(
    <Page title={post.title}>
      <p>{post.body}</p>
    </Page>,
  )
})

export default app
