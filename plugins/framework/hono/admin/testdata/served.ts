/** A newsroom of one file, as its author would write it, with people and hostile rows in it; served by the executable. */
import type { Edge } from "../../../../../test/kit/edge.ts"
import { serveApp } from "../../testdata/served-app.ts"

export const EVIL = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`
export const PASSWORD = "correct horse battery"

const source = `
import { App } from "edge/app"
import { admin, modelAdmin } from "edge/admin"
import { createUser, Permission, User, users } from "edge/auth"
import { boolean, choice, datetime, image, many, markdown, model, oneOf, references, slug, text } from "edge/db"

const Section = model("section", { name: text({ max: 120, unique: true }) }, { order: ["name"] })
const Tag = model("tag", { name: text({ max: 120, unique: true, search: true }) }, { order: ["name"] })
const Post = model("post", {
  title: text({ max: 200, search: true }),
  slug: slug({ from: "title", unique: true }),
  body: markdown({ default: "" }),
  cover: image({ optional: true }),
  state: choice({ draft: "Draft", live: "Published" }, { default: "draft", filter: true }),
  section: references(Section, { filter: true }),
  author: references(User, { filter: true }),
  tags: many(Tag),
  featured: boolean({ default: false }),
  publishedAt: datetime({ optional: true, filter: true }),
}, { order: ["-publishedAt"], url: post => "/posts/" + post.slug })
const Comment = model("comment", { post: references(Post, { onDelete: "cascade" }), name: text({ max: 200 }), text: text({ max: 1000 }) })

const app = new App({
  name: "newsroom",
  models: [Post, Comment, Section, Tag],
  parts: [
    users(),
    admin({
      title: "Newsroom",
      models: {
        post: modelAdmin(Post, {
          inlines: [Comment],
          readonly: ["featured"],
          rows: (query, user) => (user.isSuperuser ? query : query.where({ author: user.id })),
          actions: { publish: { label: "Publish", run: async rows => (await rows.update({ state: "live" })) + " published." } },
        }),
      },
      panels: [{ title: "Today", render: () => <p>Nothing new.</p> }],
      pages: [{ path: "report", title: "Report", render: async c => <form method="post" action="/admin/-/report"><p>{await Post.all.count()} posts</p></form> }],
    }),
  ],
})
app.get("/", c => c.text("home"))
app.command({
  name: "seed",
  help: "people and posts",
  run: async (args, app) => {
    const evil = args[0]
    const boss = await createUser({ email: "boss@x.org", name: "Boss", password: "${PASSWORD}" })
    await User.update(boss, { isStaff: true, isSuperuser: true })
    const ann = await createUser({ email: "ann@x.org", name: "Ann", password: "${PASSWORD}" })
    const names = ["post.view", "post.add", "post.change", "comment.view", "section.view", "tag.view", "user.view"]
    await User.update(ann, { isStaff: true, permissions: await Permission.where({ name: oneOf(names) }) })
    for (let i = 0; i < 40; i++) await User.create({ email: "reader" + i + "@x.org", name: "Reader " + String(i).padStart(2, "0") })
    const sections = await Section.createMany([{ name: "World" }, { name: "City" }, { name: evil }])
    const tags = await Tag.createMany([{ name: "music" }, { name: "space" }, { name: evil }])
    for (let i = 1; i <= 70; i++) await Post.create({ title: "Post " + i, section: sections[i % 2], author: boss, tags: [tags[i % 2]], publishedAt: new Date(Date.UTC(2026, i % 12, 1 + (i % 28), 12)) })
    await Post.create({ title: "Own post", section: sections[0], author: ann })
    const bad = await Post.create({ title: evil, slug: "evil", body: evil, section: sections[2], author: boss, tags: [tags[2]], publishedAt: new Date(Date.UTC(2026, 11, 31)) })
    await Comment.create({ post: bad, name: evil, text: evil })
    await Comment.create({ post: 1, name: "Jo", text: "First" })
  },
})
export default app
`

export async function serveNewsroom(options: { app?: string; databaseUrl?: string } = {}): Promise<Edge> {
  const edge = await serveApp({ source, ...options })
  const seeded = await edge.command("manage", "demo", "seed", EVIL)
  if (seeded.code !== 0) throw new Error(seeded.out + seeded.err)
  return edge
}
