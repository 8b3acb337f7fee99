import { admin, modelAdmin } from "edge/admin"
import { App, type Ctx } from "edge/app"
import { theUser, users } from "edge/auth"
import { form } from "edge/forms"
import { Article, Comment, Section } from "./models.ts"
import { Front, Listing, NewsLayout, Reading } from "./pages.tsx"
import { seed } from "./seed.ts"

const PAGE = 21

const desks = {
  article: modelAdmin(Article, { list: ["title", "section", "author", "summary", "publishedAt"], inlines: [Comment], icon: "document" }),
  section: modelAdmin(Section, { list: ["name", "slug", "blurb"], icon: "tag" }),
  comment: modelAdmin(Comment, { list: ["body", "article", "author", "at"], readonly: ["article", "author"], icon: "comment" }),
}

const app = new App({
  name: "The Newsroom",
  models: [Section, Article, Comment],
  parts: [users(), admin({ title: "Newsroom", models: desks, groups: { Paper: ["article", "section", "comment"] } })],
  layout: NewsLayout,
})

const published = () => Article.published.with("section", "author")
const listed = () => published().without("body")
const commentForm = form(Comment, { only: ["body"], fields: { body: { widget: "textarea", rows: 4 } } })

/** The sections in the masthead change rarely: every worker asks once a minute. */
let sections: { rows: Awaited<typeof Section.all>; until: number } | undefined
async function masthead() {
  if (sections === undefined || sections.until < Date.now()) sections = { rows: await Section.all, until: Date.now() + 60_000 }
  return sections.rows
}

app.get("/", async c => {
  const { rows, next } = await listed().page({ size: PAGE, after: c.req.query("after") })
  return c.render(<Front articles={rows} next={next} />, { sections: await masthead() })
})

app.get("/section/:slug", async c => {
  const section = await Section.all.get({ slug: c.req.param("slug") })
  const { rows, next } = await listed().where({ section }).page({ size: PAGE, after: c.req.query("after") })
  const page = <Listing heading={section.name} blurb={section.blurb} articles={rows} next={next} />
  return c.render(page, { title: section.name, sections: await masthead() })
})

app.get("/search", async c => {
  const words = c.req.query("q") ?? ""
  const { rows, next } = await listed().search(words).page({ size: PAGE })
  return c.render(<Listing heading={`“${words}”`} articles={rows} next={next} />, { title: "Search", sections: await masthead() })
})

app.feed("/feed.xml", { title: "The Newsroom", description: "What is new", items: () => Article.published.limit(20) })
app.sitemap("/sitemap.xml", { articles: Article.published, sections: Section.all, pages: ["/"] })
app.robots({ disallow: ["/search", "/admin"] })

app.on(["GET", "POST"], "/:slug", async c => {
  const article = await published().get({ slug: c.req.param("slug") })
  const comment = c.var.user === null && c.req.method === "GET" ? undefined : await commentForm.handle(c)
  if (comment?.ok === true) return say(c, article, comment.values.body)
  if (comment?.sent === true) c.status(comment.status)
  const comments = await Comment.where({ article }).with("author").limit(200)
  const page = <Reading article={article} comments={comments} form={comment} />
  return c.render(page, { title: article.title, description: article.summary, sections: await masthead() })
})

async function say(c: Ctx, article: { id: number; slug: string }, body: string) {
  const made = await Comment.create({ article, author: theUser(c), body })
  c.var.messages.success("Thank you for your comment.")
  return c.redirect(`/${article.slug}#comment-${made.id}`, 303)
}

app.command(seed)

export default app
