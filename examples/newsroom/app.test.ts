import assert from "node:assert/strict"
import { createUser } from "edge/auth"
import { factory, open, test } from "edge/test"
import app from "./app.tsx"
import { Article, Comment, Section } from "./models.ts"

const sections = factory(Section, n => ({ name: `Section ${n}` }))
const writers = () => createUser({ email: `${crypto.randomUUID()}@example.com`, name: "Wanda Writer" })
const articles = factory(Article, n => ({ title: `Article ${n}`, summary: "In short.", body: "Some **bold** words.", section: sections, author: writers, publishedAt: new Date(n) }))

test("the front page and the sections: newest first, drafts nowhere, older ones behind a link", async () => {
  await using site = await open(app)
  const section = await sections({ name: "World" })
  await articles.many(25, { section })
  await articles({ title: "A draft", publishedAt: null })
  const front = await site.get("/")
  assert.equal(front.find(".card h2").length, 21)
  assert.match(front.find(".card h2")[0]!, /^Article 25$/)
  const older = await site.get(`/${front.attribute(".older a", "href")[0]}`)
  assert.deepEqual(older.find(".card h2"), ["Article 4", "Article 3", "Article 2", "Article 1"])
  assert.equal((await site.get("/section/world")).find(".card").length, 21)
  assert.equal((await site.get("/a-draft")).status, 404)
})

test("an article: Markdown, comments by who is logged in, escaped and in place when wrong", async () => {
  await using site = await open(app)
  const article = await articles()
  assert.match((await site.get(`/${article.slug}`)).text, /<strong>bold<\/strong>/)
  await site.login({ id: article.authorId })
  const page = await site.get(`/${article.slug}`)
  const wrong = await site.submit(page, { body: "" })
  assert.equal(wrong.status, 422)
  const done = await site.submit(page, { body: "<i>Well</i> said" }, { follow: true })
  assert.deepEqual(done.find(".said"), ["<i>Well</i> said"])
  assert.deepEqual(done.find(".message"), ["Thank you for your comment."])
  assert.equal((await Comment.all.count()), 1)
})

test("who is not logged in cannot comment by hand", async () => {
  await using site = await open(app)
  const article = await articles()
  const answer = await site.post(`/${article.slug}`, { body: "Hi" })
  assert.equal(answer.location?.startsWith("/login"), true)
  assert.equal(await Comment.all.count(), 0)
})

test("search, feed, sitemap, admin", async () => {
  await using site = await open(app)
  const article = await articles({ title: "A rare word" })
  await articles()
  assert.deepEqual((await site.get("/search?q=rare")).find(".card h2"), ["A rare word"])
  assert.match((await site.get("/feed.xml")).text, /A rare word/)
  assert.ok((await site.get("/sitemap.xml")).text.includes(`/${article.slug}`))
  await site.login(await createUser({ email: "boss@example.com", name: "Boss", isStaff: true, isSuperuser: true }))
  assert.match((await site.get("/admin/article")).text, /A rare word/)
})

test("seed fills it", async () => {
  await using site = await open(app)
  await app.commands.find(command => command.name === "seed")!.run(["30"], app)
  assert.equal(await Article.all.count(), 30)
  assert.equal((await site.get("/")).find(".card").length, 21)
})
