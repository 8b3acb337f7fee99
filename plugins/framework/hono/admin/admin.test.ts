import { describe, expect, test } from "bun:test"
import { createUser } from "../auth/auth.ts"
import { Permission, User, type UserRow } from "../auth/models.ts"
import { oneOf } from "../db/compare.ts"
import { files } from "../files/storage.ts"
import { open, type TestSite } from "../test/site.ts"
import { png } from "../testdata/png.ts"
import { Change } from "./history/change.ts"
import type { AdminSettings } from "./model/settings.ts"
import { modelAdmin } from "./model/settings.ts"
import { Comment, newsroom, Post, Reader, Section, settings, Tag } from "./testdata/newsroom.tsx"

interface Newsroom {
  readonly site: TestSite
  readonly boss: UserRow
}

async function start(given: AdminSettings = settings): Promise<Newsroom & AsyncDisposable> {
  const site = await open(newsroom(given))
  const boss = await createUser({ email: "boss@x.org", name: "Boss", password: "correct horse battery" })
  await User.update(boss, { isStaff: true, isSuperuser: true })
  await site.login(boss)
  return { site, boss, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() }
}

/** A member of staff with these permissions and no others. */
async function staff(email: string, ...permissions: string[]): Promise<UserRow> {
  const user = await createUser({ email, name: email.split("@")[0]!, password: "correct horse battery" })
  const rows = permissions.length === 0 ? [] : await Permission.where({ name: oneOf(permissions) })
  expect(rows.length).toBe(permissions.length)
  await User.update(user, { isStaff: true, permissions: rows })
  return User.get(user.id)
}

async function fill(boss: UserRow, count = 3) {
  const section = await Section.create({ name: "World" })
  const posts = []
  for (let i = 1; i <= count; i++) posts.push(await Post.create({ title: `Post ${i}`, section, author: boss, publishedAt: new Date(Date.UTC(2026, 10, i, 12, 0, 30, 5)) }))
  return { section, posts }
}

describe("who gets in", () => {
  test("nobody is sent to the login and comes back; users who are no staff are not let in", async () => {
    await using room = await start()
    const { site } = room
    const nobody = site.visitor()
    for (const path of ["/admin", "/admin/post", "/admin/post/1", "/admin/post/export.csv", "/admin/post/choices/author", "/admin/-/report"]) {
      const page = await nobody.get(path)
      expect([page.status, page.location]).toEqual([303, `/login?next=${encodeURIComponent(path)}`])
    }
    const user = await createUser({ email: "u@x.org", name: "U", password: "correct horse battery" })
    const visitor = await site.visitor().login(user)
    expect((await visitor.get("/admin")).status).toBe(403)
    expect((await visitor.post("/admin/post/add", { title: "x" })).status).toBe(403)
  })

  test("staff without permissions sees no model, and none answers", async () => {
    await using room = await start({})
    const { site, boss } = room
    const { posts } = await fill(boss)
    const visitor = await site.visitor().login(await staff("s@x.org"))
    expect((await visitor.get("/admin")).find("main h2")).toContain("Nothing to see")
    for (const path of ["/admin/post", `/admin/post/${posts[0]!.id}`, "/admin/post/add", "/admin/post/export.csv", "/admin/post/export.json", `/admin/post/${posts[0]!.id}/history`, `/admin/post/${posts[0]!.id}/delete`, "/admin/post/choices/author"]) {
      expect([path, (await visitor.get(path)).status]).toEqual([path, 404])
    }
    expect((await visitor.post("/admin/post/action", { action: "delete", id: posts[0]!.id, confirm: 1 })).status).toBe(404)
    expect(await Post.all.count()).toBe(3)
  })
})

describe("lists", () => {
  test("with no settings at all: columns, search, filters made from the model", async () => {
    await using room = await start({})
    const { site } = room
    await Reader.createMany([{ name: "Ann", email: "ann@x.org" }, { name: "Bob", email: "bob@x.org" }])
    const page = await site.get("/admin/reader")
    expect(page.find("thead th").map(text => text.replace(/^Select/, "")).filter(Boolean)).toEqual(["Name", "Email", "Joined"])
    const posts = await site.get("/admin/post")
    expect(posts.find("main h2")).toEqual(["No posts yet"])
    await fill((await User.all.first())!, 1)
    expect((await site.get("/admin/post")).find("thead th").map(text => text.replace(/^Select/, "")).filter(Boolean)).toEqual(["Cover", "Title", "State", "Section", "Author", "Published at", "Embargo"])
    expect((await site.get("/admin/reader?q=ann")).find(".row-link")).toEqual(["Ann"])
    expect((await site.get("/admin/reader?q=bob@x.org")).find(".row-link")).toEqual(["Bob"])
    expect((await site.get("/admin/reader?q=nobody")).find("main h2")).toContain("No readers match")
  })

  test("filters, drill-down, sort by several and pages hold together in the URL", async () => {
    await using room = await start({ models: { post: { perPage: 2 } } })
    const { site, boss } = room
    const { posts } = await fill(boss, 5)
    await Post.update(posts[1]!, { state: "live" })
    const titles = async (query: string) => (await site.get(`/admin/post${query}`)).find(".row-link")
    expect(await titles("")).toEqual(["Post 5", "Post 4"])
    expect(await titles("?f.state=live")).toEqual(["Post 2"])
    expect(await titles("?f.state=live&f.state=draft&sort=title")).toEqual(["Post 1", "Post 2"])
    expect(await titles("?date=2026-11-04")).toEqual(["Post 4"])
    expect(await titles("?date=2025")).toEqual([])
    expect(await titles("?sort=-state,title")).toEqual(["Post 2", "Post 1"])
    const first = await site.get("/admin/post?sort=title")
    const next = first.attribute(".pages a", "href")[0]!
    const second = await site.get(next)
    expect(second.find(".row-link")).toEqual(["Post 3", "Post 4"])
    const back = second.attribute(".pages a", "href")[0]!
    expect((await site.get(back)).find(".row-link")).toEqual(["Post 1", "Post 2"])
    expect(first.find(".total strong")).toEqual(["5"])
  })

  test("nonsense in the URL is passed over", async () => {
    await using room = await start()
    const { site, boss } = room
    await fill(boss)
    for (const query of ["?f.state=nix", "?f.author=abc", "?f.nix=1", "?sort=password,-nix,title;drop", "?date=2026-99", "?after=%00", "?after=abc&before=def", "?f.publishedAt=2026-13-01..x", "?q=%00%00", "?f.author=99999999999999999999"]) {
      const page = await site.get(`/admin/post${query}`)
      expect([query, page.status, page.find(".row-link").length]).toEqual([query, 200, 3])
    }
  })
})

describe("forms", () => {
  test("add, change, history with what differs; seconds that nobody changed stay", async () => {
    await using room = await start()
    const { site, boss } = room
    const { section } = await fill(boss, 0)
    const tag = await Tag.create({ name: "t" })
    const add = await site.get("/admin/post/add")
    const added = await site.submit(add, { title: "Hello", section: String(section.id), author: String(boss.id), tags: [String(tag.id)], state: "draft" }, { form: "" })
    expect([added.status, added.location]).toEqual([303, "/admin/post"])
    const post = (await Post.all.with("tags").first())!
    expect(post).toMatchObject({ title: "Hello", slug: "hello", tags: [{ name: "t" }] })
    expect((await site.get("/admin/post")).find(".toast p")).toEqual(["Post “Hello” was added."])
    const at = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6))
    await Post.update(post, { publishedAt: at })
    const edit = await site.get(`/admin/post/${post.id}`)
    expect(edit.attribute("#f-publishedAt", "value")).toEqual(["2026-01-02T04:04"])
    const saved = await site.submit(edit, { title: "Hello there", _continue: "1" }, { form: "" })
    expect(saved.location).toBe(`/admin/post/${post.id}`)
    expect(await Post.get(post.id)).toMatchObject({ title: "Hello there", publishedAt: at })
    const history = await site.get(`/admin/post/${post.id}/history`)
    expect(history.find(".entry-head strong")).toEqual(["Boss", "Boss"])
    expect(history.find(".entry:first-child ins")).toEqual(["there"])
    expect((await Change.all.first())!.changes).toEqual([{ key: "title", from: "Hello", to: "Hello there" }])
  })

  test("errors come back in place, and nothing is saved", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 2)
    const edit = await site.get(`/admin/post/${posts[0]!.id}`)
    const sent = await site.submit(edit, { title: "", slug: "Not A Slug" }, { form: "" })
    expect(sent.status).toBe(422)
    expect(sent.attribute("[aria-invalid=true]", "name")).toEqual(["title", "slug"])
    const twice = await site.submit(edit, { slug: "post-2" }, { form: "" })
    expect([twice.status, twice.find(".field-error").length]).toEqual([422, 1])
    expect((await Post.get(posts[0]!.id)).title).toBe("Post 1")
    expect(await Change.all.count()).toBe(0)
  })

  test("a field that is read only, hidden or not editable cannot be set by hand", async () => {
    await using room = await start({ models: { post: modelAdmin(Post, { readonly: ["fee"], hide: ["extra"], field: (key, user) => (key === "featured" && !user.isSuperuser ? "read" : undefined) }) } })
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    const id = posts[0]!.id
    const who = await staff("s@x.org", "post.view", "post.change", "section.view", "user.view", "tag.view")
    const visitor = await site.visitor().login(who)
    const edit = await visitor.get(`/admin/post/${id}`)
    const version = edit.attribute("[name=_version]", "value")[0]!
    const sent = await visitor.post(`/admin/post/${id}`, { _version: version, title: "Changed", slug: "changed", state: "draft", section: String(posts[0]!.sectionId), author: String(boss.id), fee: "9.99", extra: '{"a":1}', words: "77", featured: "on", publishedAt: "2026-11-01T12:00", id: "99" })
    expect(sent.status).toBe(303)
    expect(await Post.get(id)).toMatchObject({ id, title: "Changed", fee: null, extra: null, words: 0, featured: false })
    expect(edit.attribute("[name=extra], [name=fee], [name=words], [name=featured]", "name")).toEqual([])
    expect(edit.text).not.toContain("Extra")
  })

  test("two people, one row: the second is told what the first did, and saves knowingly", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    const path = `/admin/post/${posts[0]!.id}`
    const mine = await site.get(path)
    const other = await site.visitor().login(boss)
    expect((await other.submit(await other.get(path), { title: "Theirs" }, { form: "" })).status).toBe(303)
    const conflict = await site.submit(mine, { title: "Mine" }, { form: "" })
    expect(conflict.status).toBe(409)
    expect(conflict.find(".conflict strong")).toEqual(["Boss changed this while you were editing."])
    expect(conflict.find(".conflict .readonly-value")).toEqual(["Theirs"])
    expect(conflict.attribute("#f-title", "value")).toEqual(["Mine"])
    expect((await Post.get(posts[0]!.id)).title).toBe("Theirs")
    expect((await site.submit(conflict, {}, { form: "" })).status).toBe(303)
    expect((await Post.get(posts[0]!.id)).title).toBe("Mine")
    const forged = await site.post(path, { _version: "", title: "Forged", slug: "forged", section: "1", author: "1", state: "draft", "comment-total": 0 })
    expect(forged.status).toBe(409)
  })
})

describe("inlines", () => {
  test("rows are added, changed and removed with the form, or nothing is", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    const post = posts[0]!
    const old = await Comment.create({ post, name: "Old", text: "x" })
    const bad = await Comment.create({ post, name: "Bad", text: "x" })
    const path = `/admin/post/${post.id}`
    const edit = await site.get(path)
    const wrong = await site.submit(edit, { title: "New title", "comment-0-name": "Older", "comment-2-name": "Half" }, { form: "" })
    expect(wrong.status).toBe(422)
    expect((await Post.get(post.id)).title).toBe("Post 1")
    const sent = await site.submit(edit, { title: "New title", "comment-0-name": "Older", "comment-1-__delete": "on", "comment-2-name": "New", "comment-2-text": "hi" }, { form: "" })
    expect(sent.status).toBe(303)
    expect((await Comment.order("id")).map(row => row.name)).toEqual(["Older", "New"])
    expect(await Change.order("id").pluck("model")).toEqual(["comment", "comment", "comment", "post"])
    expect((await Change.where({ model: "post" }).first())!.note).toBe("with 1 comment added, 1 comment changed, 1 comment removed")
    expect([old.id, bad.id]).not.toContain((await Comment.order("-id").first())!.id)
  })

  test("a row of another parent, or one that may not be changed, cannot be reached through them", async () => {
    await using room = await start({ models: { post: modelAdmin(Post, { inlines: [Comment] }), comment: modelAdmin(Comment, { can: { change: (_user, row) => (row?.name === "Locked" ? false : undefined) } }) } })
    const { site, boss } = room
    const { posts } = await fill(boss, 2)
    const foreign = await Comment.create({ post: posts[1]!, name: "Foreign", text: "x" })
    const locked = await Comment.create({ post: posts[0]!, name: "Locked", text: "x" })
    const path = `/admin/post/${posts[0]!.id}`
    const edit = await site.get(path)
    expect(edit.find(".inline tbody tr").length).toBe(1)
    const version = edit.attribute("[name=_version]", "value")[0]!
    for (const id of [foreign.id, locked.id]) {
      const sent = await site.post(path, { _version: version, title: "T", slug: "t-t", section: "1", author: "1", state: "draft", publishedAt: "2026-11-01T12:00", "comment-total": 1, "comment-0-__id": id, "comment-0-name": "Taken", "comment-0-text": "x" })
      expect(sent.status).toBe(422)
      const removed = await site.post(path, { _version: version, title: "T", slug: "t-t", section: "1", author: "1", state: "draft", publishedAt: "2026-11-01T12:00", "comment-total": 1, "comment-0-__id": id, "comment-0-__delete": "on" })
      expect(removed.status).toBe(422)
    }
    expect(await Comment.order("id").pluck("name")).toEqual(["Foreign", "Locked"])
  })

  test("who may not add, change or delete the inner rows does not do it through the outer form", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    const comment = await Comment.create({ post: posts[0]!, name: "C", text: "x" })
    const path = `/admin/post/${posts[0]!.id}`
    const visitor = await site.visitor().login(await staff("s@x.org", "post.change", "comment.view", "section.view", "user.view", "tag.view"))
    const edit = await visitor.get(path)
    expect(edit.find(".inline tbody td").slice(0, 1)).toEqual(["C"])
    const version = edit.attribute("[name=_version]", "value")[0]!
    const sent = await visitor.post(path, { _version: version, title: "T", slug: "t-t", section: "1", author: "1", state: "draft", publishedAt: "2026-11-01T12:00", "comment-total": 2, "comment-0-__id": comment.id, "comment-0-__delete": "on", "comment-1-name": "N", "comment-1-text": "n" })
    expect(sent.status).toBe(303)
    expect(await Comment.all.pluck("name")).toEqual(["C"])
    expect((await visitor.get(`/admin/comment/${comment.id}`)).find(".notice")[0]).toContain("not change it")
  })
})

describe("deleting", () => {
  test("says what goes along, and it does; what is needed by others stays", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts, section } = await fill(boss, 2)
    await Comment.createMany([{ post: posts[0]!, name: "A", text: "x" }, { post: posts[0]!, name: "B", text: "x" }])
    const page = await site.get(`/admin/post/${posts[0]!.id}/delete`)
    expect(page.find(".touched summary")).toEqual(["2 comments"])
    const blocked = await site.get(`/admin/section/${section.id}/delete`)
    expect(blocked.find(".touched h2")).toEqual(["Still needed by"])
    expect(blocked.find(".ask-buttons button")).toEqual([])
    expect((await site.post(`/admin/section/${section.id}/delete`)).status).toBe(409)
    expect(await Section.all.count()).toBe(1)
    expect((await site.submit(page, {}, { form: `/admin/post/${posts[0]!.id}/delete` })).status).toBe(303)
    expect([await Post.all.count(), await Comment.all.count()]).toEqual([1, 0])
    expect(await Change.all.first()).toMatchObject({ kind: "delete", title: "Post 1" })
  })

  test("not when it takes along what the person may not delete", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    await Comment.create({ post: posts[0]!, name: "A", text: "x" })
    const visitor = await site.visitor().login(await staff("s@x.org", "post.view", "post.delete"))
    const page = await visitor.get(`/admin/post/${posts[0]!.id}/delete`)
    expect(page.find(".notice").at(-1)).toContain("comments, which you may not delete")
    expect((await visitor.post(`/admin/post/${posts[0]!.id}/delete`)).status).toBe(409)
    expect(page.text).not.toContain("A: x")
    expect(await Post.all.count()).toBe(1)
  })
})

describe("files", () => {
  test("a picture is stored and shown, replaced and taken off; what is no picture is refused", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 1)
    const path = `/admin/post/${posts[0]!.id}`
    const picture = (name: string) => new File([Uint8Array.from(png(4, 4))], name, { type: "image/png" })
    const edit = await site.get(path)
    expect(edit.attribute("form[data-guard]", "enctype")).toEqual(["multipart/form-data"])
    expect((await site.submit(edit, { cover: picture("a.png") }, { form: "" })).status).toBe(303)
    const first = (await Post.get(posts[0]!.id)).cover!
    expect(await files().open(first)).not.toBeNull()
    expect((await site.get("/admin/post")).attribute(".thumb", "src")).toEqual([files().url(first, { width: 80 })])
    const again = await site.get(path)
    expect(again.attribute(".field-current img", "src")).toEqual([files().url(first, { width: 320 })])
    expect((await site.submit(again, { cover: picture("b.png") }, { form: "" })).status).toBe(303)
    expect([await files().open(first), (await Post.get(posts[0]!.id)).cover === first]).toEqual([null, false])
    const evil = new File(["<svg onload=alert(1)>"], "x.png", { type: "image/png" })
    expect((await site.submit(await site.get(path), { cover: evil }, { form: "" })).status).toBe(422)
    expect((await site.submit(await site.get(path), { cover__clear: "on" }, { form: "" })).status).toBe(303)
    expect((await Post.get(posts[0]!.id)).cover).toBeNull()
  })
})

describe("short ways", () => {
  test("duplicate copies what is not unique; a link chooses a relation", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts, section } = await fill(boss, 1)
    const tag = await Tag.create({ name: "t" })
    await Post.update(posts[0]!, { tags: [tag], summary: "S" })
    const edit = await site.get(`/admin/post/${posts[0]!.id}`)
    const copy = await site.get(edit.attribute(".tools a", "href").find(href => href.includes("from="))!)
    expect([copy.attribute("#f-title", "value"), copy.attribute("#f-slug", "value"), copy.find("#f-summary")]).toEqual([["Post 1"], [""], ["S"]])
    expect((await site.submit(copy, { title: "Copy" }, { form: "" })).status).toBe(303)
    expect(await Post.with("tags").where({ title: "Copy" }).first()).toMatchObject({ slug: "copy", sectionId: section.id, tags: [{ id: tag.id }] })
    expect((await site.get(`/admin/post/add?section=${section.id}`)).attribute("#f-section option[selected]", "value")).toEqual([String(section.id)])
    expect((await site.get("/admin/post/add?from=999&section=999&author=x")).status).toBe(200)
  })

  test("an action is at hand on the page of its row, and leads back to it", async () => {
    await using room = await start()
    const { site, boss } = room
    const { posts } = await fill(boss, 2)
    const path = `/admin/post/${posts[0]!.id}`
    const page = await site.get(path)
    expect(page.find(".tools button.drop-item")).toEqual(["Publish"])
    const asked = await site.post("/admin/post/action", { action: "publish", id: posts[0]!.id, back: "row" })
    const done = await site.submit(asked, {}, { form: "/admin/post/action" })
    expect(done.location).toBe(path)
    expect((await Post.order("id")).map(post => post.state)).toEqual(["live", "draft"])
  })

  test("more rows than one deletion takes are said", async () => {
    await using room = await start()
    const { site } = room
    await Reader.createMany(Array.from({ length: 1010 }, (_, i) => ({ name: `R${i}`, email: `r${i}@x.org` })))
    const asked = await site.post("/admin/reader/action", { action: "delete", all: 1 })
    expect(asked.find(".ask-rows .hint")).toEqual(["1,000 of 1,010 in all"])
    const done = await site.submit(asked, {}, { form: "/admin/reader/action", follow: true })
    expect(done.find(".toast p")).toEqual(["At most 1,000 are deleted at once: repeat it for the rest.", "1,000 readers deleted."])
    expect(await Reader.all.count()).toBe(10)
  })
})

describe("settings", () => {
  test("what is wrong is said when the app is made, with the nearest right word", () => {
    const said = (given: AdminSettings) => {
      try {
        newsroom(given)
      } catch (error) {
        return (error as Error).message
      }
      return "nothing"
    }
    expect(said({ models: { pots: {} } })).toBe('admin: there is no model "pots"; did you mean "post"?')
    expect(said({ models: { post: { list: ["titel"] } } })).toBe('admin: model "post": list: there is no field "titel"; did you mean "title"?')
    expect(said({ models: { post: { inlines: [Tag] } } })).toBe('admin: model "post": inlines: "tag" has no field that refers to it')
    expect(said({ models: { post: { dates: "title" } } })).toBe('admin: model "post": dates: "title" is no date')
    expect(said({ models: { post: { search: ["words"] } } })).toBe('admin: model "post": search: "words" is no text')
    expect(said({ timeZone: "Europe/Warszawa" })).toContain('there is no time zone "Europe/Warszawa"')
    expect(said({ path: "/" })).toContain('as "/admin"')
    expect(said({ path: "back-office/" })).toBe("nothing")
  })

  test("it lives where it is said, and everything in it leads there", async () => {
    await using room = await start({ path: "/back-office", title: "Back office" })
    const { site, boss } = room
    await fill(boss, 1)
    const page = await site.get("/back-office/post")
    const paths = [...page.attribute("a, link", "href"), ...page.attribute("script", "src"), ...page.attribute("form", "action")].filter(path => !["/", "#content", "/account", "/logout"].includes(path))
    expect([page.status, paths.length > 20, paths.filter(path => !path.startsWith("/back-office") && !path.startsWith("?"))]).toEqual([200, true, []])
    expect((await site.get("/admin")).status).toBe(404)
    expect((await site.get("/back-office/")).location).toBe("/back-office")
  })
})
