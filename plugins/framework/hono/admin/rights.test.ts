/** Who may see and do what: rows, fields, relations, actions, exports, history; and that no text becomes markup. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { createUser } from "../auth/auth.ts"
import { Group, Permission, User, type UserRow } from "../auth/models.ts"
import { ne, oneOf } from "../db/compare.ts"
import { open, type TestSite } from "../test/site.ts"
import { Change } from "./history/change.ts"
import { type AdminSettings, modelAdmin } from "./model/settings.ts"
import { Comment, newsroom, Post, Reader, Section, settings, Tag } from "./testdata/newsroom.tsx"

let postgres: Postgres
beforeAll(async () => void (postgres = await Postgres.start()), 60_000)
afterAll(() => postgres[Symbol.asyncDispose]())

type Room = { site: TestSite; boss: UserRow } & AsyncDisposable

/** The same tests on both databases. */
for (const dialect of ["sqlite", "postgres"]) {
  let serial = 0
  const start = async (given: AdminSettings = settings): Promise<Room> => {
    const database = dialect === "postgres" ? await postgres.database(`rights${serial++}`) : "sqlite::memory:"
    const site = await open(newsroom(given), { database })
    const boss = await createUser({ email: "boss@x.org", name: "Boss", password: "correct horse battery" })
    await User.update(boss, { isStaff: true, isSuperuser: true })
    await site.login(boss)
    return { site, boss: await User.get(boss.id), [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() }
  }
  const staff = async (name: string, ...permissions: string[]): Promise<UserRow> => {
    const user = await createUser({ email: `${name}@x.org`, name, password: "correct horse battery" })
    const rows = await Permission.where({ name: oneOf(permissions) })
    expect(rows.length).toBe(permissions.length)
    await User.update(user, { isStaff: true, permissions: rows })
    return User.get(user.id)
  }
  const posts = async (boss: UserRow, count: number) => {
    const section = await Section.create({ name: "World" })
    return Post.createMany(Array.from({ length: count }, (_, i) => ({ title: `Post ${i + 1}`, section, author: boss })))
  }

  describe(dialect, () => {
    test("rows that do not exist for a person are nowhere: list, form, deletion, action, export, choices, history, first page", async () => {
      await using room = await start({
        models: { post: modelAdmin(Post, { rows: (query, user) => (user.isSuperuser ? query : query.where({ author: user.id })), actions: { publish: { label: "Publish", confirm: false, run: async rows => `${await rows.update({ state: "live" })} done` } } }), comment: modelAdmin(Comment, {}) },
      })
      const { site, boss } = room
      const ann = await staff("ann", "post.view", "post.change", "post.delete", "comment.view", "comment.change", "comment.add", "section.view", "user.view")
      const [foreign] = await posts(boss, 1)
      const own = await Post.create({ title: "Own", section: 1, author: ann })
      await Post.update(foreign!, { title: "Secret plan" })
      const comment = await Comment.create({ post: foreign!, name: "C", text: "t" })
      const edit = await site.get(`/admin/post/${foreign!.id}`)
      await site.submit(edit, { title: "Secret plan B" }, { form: "" })
      const visitor = await site.visitor().login(ann)
      const seen = async (path: string) => (await visitor.get(path)).text
      expect((await visitor.get("/admin/post")).find(".row-link")).toEqual(["Own"])
      for (const path of ["", "/delete", "/history"]) expect((await visitor.get(`/admin/post/${foreign!.id}${path}`)).status).toBe(404)
      expect((await visitor.post(`/admin/post/${foreign!.id}/delete`)).status).toBe(404)
      for (const path of ["/admin", "/admin/post?q=plan", "/admin/post/export.csv", "/admin/post/export.json", "/admin/comment", `/admin/comment/${comment.id}`, "/admin/comment/export.csv", "/admin/comment/add", "/admin/comment/choices/post?find=plan"]) {
        expect([path, (await seen(path)).includes("Secret")]).toEqual([path, false])
      }
      expect((await visitor.get("/admin/comment/choices/post", { headers: { accept: "application/json" } })).json<{ choices: object[] }>().choices).toEqual([{ id: own.id, title: "Own" }])
      await visitor.post("/admin/post/action", { action: "publish", id: [String(foreign!.id), String(own.id)] })
      expect((await Post.order("id")).map(row => row.state)).toEqual(["draft", "live"])
      await visitor.post("/admin/post/action", { action: "publish", all: 1 })
      await visitor.post("/admin/post/action", { action: "delete", id: String(foreign!.id), confirm: 1, count: 1 })
      expect((await Post.get(foreign!.id)).state).toBe("draft")
      const csv = await visitor.post("/admin/post/action", { action: "csv", id: [String(foreign!.id), String(own.id)] })
      expect(csv.text.split("\r\n").length).toBe(3)
      const added = await visitor.post("/admin/comment/add", { post: String(foreign!.id), name: "N", text: "t" })
      expect([added.status, await Comment.all.count()]).toEqual([422, 1])
    })

    test("permissions by row decide in lists, forms and actions; what was left out is said", async () => {
      await using room = await start({
        models: { post: modelAdmin(Post, { can: { view: (_user, row) => row?.title !== "Post 1", change: (user, row) => (row === undefined || row.authorId === user.id ? undefined : false) }, actions: { publish: { label: "Publish", confirm: false, run: async rows => `${await rows.update({ state: "live" })} done` } } }) },
      })
      const { site, boss } = room
      const made = await posts(boss, 3)
      const ann = await staff("ann", "post.view", "post.change", "section.view", "user.view", "tag.view")
      await Post.update(made[2]!, { author: ann })
      const visitor = await site.visitor().login(ann)
      expect((await visitor.get("/admin/post?sort=title")).find(".row-link")).toEqual(["Post 2", "Post 3"])
      expect((await visitor.get(`/admin/post/${made[0]!.id}`)).status).toBe(404)
      const look = await visitor.get(`/admin/post/${made[1]!.id}`)
      expect([look.find(".notice").length, look.attribute("form[data-guard]", "method")]).toEqual([1, []])
      expect((await visitor.post(`/admin/post/${made[1]!.id}`, { title: "Taken" })).status).toBe(403)
      const done = await visitor.post("/admin/post/action", { action: "publish", all: 1 }, { follow: true })
      expect(done.find(".toast p")).toEqual(["2 were left out: you may not do this to them.", "1 done"])
      expect((await Post.order("id")).map(row => row.state)).toEqual(["draft", "draft", "live"])
      expect((await visitor.get("/admin/post/export.csv")).text).not.toContain("Post 1")
    })

    test("fields that may not be seen are not shown, searched, sorted or filtered by, exported, or told by the history", async () => {
      await using room = await start({
        models: { reader: modelAdmin(Reader, { list: ["name", "email", "joined"], filters: ["joined"], field: (key, user) => (key !== "name" && !user.isSuperuser ? "none" : undefined) }) },
      })
      const { site } = room
      const [a, b] = await Reader.createMany([{ name: "A", email: "zoe@secret.org", joined: "2026-02-03" }, { name: "B", email: "abe@secret.org", joined: "2025-01-01" }])
      await site.submit(await site.get(`/admin/reader/${a!.id}`), { email: "zoe2@secret.org", name: "AA" }, { form: "" })
      const visitor = await site.visitor().login(await staff("ann", "reader.view", "reader.change"))
      for (const path of ["/admin/reader", `/admin/reader/${a!.id}`, `/admin/reader/${a!.id}/history`, "/admin/reader/export.csv", "/admin/reader/export.json"]) {
        const { text } = await visitor.get(path)
        expect([path, /secret|2026-02-03|Joined|Email/.test(text)]).toEqual([path, false])
      }
      const names = async (query: string) => (await visitor.get(`/admin/reader${query}`)).find(".row-link")
      expect(await names("?sort=email")).toEqual(await names(""))
      expect(await names("?f.joined=2026")).toHaveLength(2)
      expect(await names("?q=zoe2@secret.org")).toEqual([])
      expect((await visitor.get(`/admin/reader/${a!.id}/history`)).find(".entry .hint")).toEqual(["Another field, which you may not see."])
      const edit = await visitor.get(`/admin/reader/${b!.id}`)
      expect((await visitor.post(`/admin/reader/${b!.id}`, { _version: edit.attribute("[name=_version]", "value")[0]!, name: "BB", email: "taken@x.org" })).status).toBe(303)
      expect(await Reader.get(b!.id)).toMatchObject({ name: "BB", email: "abe@secret.org" })
    })

    test("links to rows that may not be seen stay when the rest is changed, and cannot be added", async () => {
      await using room = await start({ models: { post: modelAdmin(Post, {}), tag: modelAdmin(Tag, { rows: (query, user) => (user.isSuperuser ? query : query.where({ name: ne("hidden") })) }) } })
      const { site, boss } = room
      const [hidden, open1, open2] = await Tag.createMany([{ name: "hidden" }, { name: "one" }, { name: "two" }])
      const [post] = await posts(boss, 1)
      await Post.update(post!, { tags: [hidden!, open1!] })
      const visitor = await site.visitor().login(await staff("ann", "post.view", "post.change", "section.view", "user.view", "tag.view"))
      const edit = await visitor.get(`/admin/post/${post!.id}`)
      expect(edit.text).not.toContain("hidden</")
      expect((await visitor.submit(edit, { tags: [String(open2!.id)] }, { form: "" })).status).toBe(303)
      expect((await Post.with("tags").get(post!.id)).tags.map(tag => tag.name).toSorted()).toEqual(["hidden", "two"])
      const again = await visitor.get(`/admin/post/${post!.id}`)
      await Post.update(post!, { tags: [] })
      const forged = await visitor.submit(await visitor.get(`/admin/post/${post!.id}`), { tags: [String(hidden!.id)] }, { form: "" })
      expect([forged.status, again.status]).toEqual([422, 200])
      expect((await Post.with("tags").get(post!.id)).tags).toEqual([])
    })

    test("where rows are decided one by one pages are full, and neither totals, counts nor cursors tell of the others", async () => {
      await using room = await start({ models: { post: modelAdmin(Post, { perPage: 10, order: ["title"], search: ["title"], filters: ["state"], can: { view: (_user, row) => (row === undefined ? undefined : !row.title.startsWith("Hidden")) } }) } })
      const { site, boss } = room
      const section = await Section.create({ name: "World" })
      await Post.createMany(Array.from({ length: 75 }, (_, i) => ({ title: `${i % 3 === 0 ? "Open" : "Hidden"} ${String(i).padStart(2, "0")}`, section, author: boss })))
      await Post.createMany(Array.from({ length: 75 }, (_, i) => ({ title: `Post ${i % 3 === 0 ? "open" : ""} ${String(i).padStart(2, "0")}`, slug: `p-${i}`, section, author: boss, state: i % 2 === 0 ? ("live" as const) : ("draft" as const) })))
      const seen: string[] = []
      const cursors: string[] = []
      let page = await site.get("/admin/post?sort=-title")
      for (let i = 0; ; i++) {
        const titles = page.find(".row-link")
        seen.push(...titles)
        const next = page.attribute(".pages a", "href").find(href => href.includes("after="))
        cursors.push(...page.attribute(".pages a", "href").map(href => Buffer.from(new URLSearchParams(href.split("?")[1]).get("after") ?? new URLSearchParams(href.split("?")[1]).get("before")!, "base64url").toString()))
        if (next === undefined) break
        expect([i, titles.length]).toEqual([i, 10])
        page = await site.get(next)
      }
      expect([seen.length, new Set(seen).size, seen.some(title => title.startsWith("Hidden"))]).toEqual([100, 100, false])
      expect(seen).toEqual(seen.toSorted().toReversed())
      expect([cursors.length > 10, cursors.some(cursor => cursor.includes("Hidden"))]).toEqual([true, false])
      const back = await site.get(page.attribute(".pages a", "href").find(href => href.includes("before="))!)
      expect(back.find(".row-link")).toEqual(seen.slice(80, 90))
      const none = await site.get("/admin/post?q=Hidden")
      expect([none.find(".row-link"), none.find(".paging")]).toEqual([[], []])
      expect([page.find("#filter-state .count"), (await site.get("/admin")).find(".tile:first-child .tile-count")[0]]).toEqual([[], ""])
    })

    test("a list is not sorted by a field that may not be seen, nor filtered by a row that may not", async () => {
      await using room = await start({
        models: {
          reader: modelAdmin(Reader, { order: ["-email"], perPage: 2, field: (key, user) => (key === "email" && !user.isSuperuser ? "none" : undefined) }),
          section: modelAdmin(Section, { rows: (query, user) => (user.isSuperuser ? query : query.where({ name: ne("Covert") })) }),
          post: modelAdmin(Post, {}),
        },
      })
      const { site, boss } = room
      await Reader.createMany(["c", "a", "b"].map(name => ({ name, email: `${name}@secret.org` })))
      const covert = await Section.create({ name: "Covert" })
      await Post.create({ title: "In covert", section: covert, author: boss })
      const world = await Section.create({ name: "World" })
      await Post.create({ title: "In world", section: world, author: boss })
      const visitor = await site.visitor().login(await staff("ann", "reader.view", "post.view", "section.view", "user.view"))
      const list = await visitor.get("/admin/reader")
      expect(list.find(".row-link")).toEqual(["b", "a"])
      expect(Buffer.from(new URLSearchParams(list.attribute(".pages a", "href")[0]!.split("?")[1]).get("after")!, "base64url").toString()).not.toContain("secret")
      expect((await site.get("/admin/reader")).find(".row-link")).toEqual(["c", "b"])
      expect((await visitor.get(`/admin/post?f.section=${covert.id}`)).find(".row-link").toSorted()).toEqual(["In covert", "In world"])
      expect((await visitor.get(`/admin/post?f.section=${world.id}`)).find(".row-link")).toEqual(["In world"])
    })

    test("choices are neither found nor called by what may not be seen of them", async () => {
      await using room = await start({ models: { post: modelAdmin(Post, {}), tag: modelAdmin(Tag, { field: (key, user) => (key === "name" && !user.isSuperuser ? "none" : undefined) }) } })
      const { site, boss } = room
      const tags = await Tag.createMany(Array.from({ length: 30 }, (_, i) => ({ name: `covert${i}` })))
      const [post] = await posts(boss, 1)
      await Post.update(post!, { tags: [tags[0]!] })
      const visitor = await site.visitor().login(await staff("ann", "post.view", "post.change", "section.view", "user.view", "tag.view"))
      for (const path of [`/admin/post/${post!.id}`, "/admin/post", "/admin/tag", "/admin/post/choices/tags", "/admin/post/export.json"]) expect([path, (await visitor.get(path)).text.includes("covert")]).toEqual([path, false])
      const found = async (words: string) => (await visitor.get(`/admin/post/choices/tags?find=${words}`, { headers: { accept: "application/json" } })).json<{ choices: { title: string }[] }>().choices
      expect([(await found("covert")).length, (await found(""))[0]!.title]).toEqual([0, "Tag 1"])
    })

    test("who may change users cannot make himself a superuser, nor take a superuser's account", async () => {
      await using room = await start()
      const { site, boss } = room
      const ann = await staff("ann", "user.view", "user.change", "user.delete", "group.view", "group.change")
      const group = await Group.create({ name: "Editors" })
      await User.update(ann, { groups: [group] })
      const visitor = await site.visitor().login(await User.get(ann.id))
      const edit = await visitor.get(`/admin/user/${ann.id}`)
      const version = edit.attribute("[name=_version]", "value")[0]!
      const all = (await Permission.all.pluck("id")).map(String)
      expect((await visitor.post(`/admin/user/${ann.id}`, { _version: version, email: "ann@x.org", name: "Ann 2", isActive: "on", isSuperuser: "on", isStaff: "on", permissions: all })).status).toBe(303)
      expect(await User.with("permissions").get(ann.id)).toMatchObject({ name: "Ann 2", isSuperuser: false })
      expect((await User.with("permissions").get(ann.id)).permissions.length).toBe(5)
      expect((await visitor.post(`/admin/user/${boss.id}`, { email: "mine@x.org", name: "x" })).status).toBe(403)
      expect((await visitor.post(`/admin/user/${boss.id}/delete`)).status).toBe(403)
      expect((await visitor.post(`/admin/user/${ann.id}/delete`)).status).toBe(403)
      const editGroup = await visitor.get(`/admin/group/${group.id}`)
      await visitor.post(`/admin/group/${group.id}`, { _version: editGroup.attribute("[name=_version]", "value")[0]!, name: "E", permissions: all })
      expect((await Group.with("permissions").get(group.id)).permissions).toEqual([])
      const other = await staff("bob")
      expect((await visitor.post(`/admin/user/${other.id}`, { email: "mine@x.org", name: "x" })).status).toBe(403)
    })

    test("actions ask first; all that match is what was shown; more than was shown is asked again", async () => {
      await using room = await start()
      const { site, boss } = room
      await posts(boss, 60)
      await Comment.create({ post: 1, name: "C", text: "t" })
      const ask = await site.post("/admin/post/action?q=Post", { action: "delete", all: 1 })
      expect(ask.find(".ask-rows .hint")).toEqual(["60 in all"])
      expect(ask.find(".touched summary")).toEqual(["1 comment"])
      expect(await Post.all.count()).toBe(60)
      await Post.create({ title: "Post late", section: 1, author: boss })
      const again = await site.submit(ask, {}, { form: "/admin/post/action?q=Post" })
      expect([again.status, again.find(".ask-rows .hint")]).toEqual([200, ["61 in all"]])
      const done = await site.submit(again, {}, { form: "/admin/post/action?q=Post", follow: true })
      expect(done.find(".toast p")).toEqual(["61 posts deleted."])
      expect([await Post.all.count(), await Comment.all.count(), await Change.where({ kind: "delete" }).count()]).toEqual([0, 0, 61])
      const none = await site.post("/admin/post/action", { action: "delete" }, { follow: true })
      expect(none.find(".toast p")).toEqual(["Tick the rows first, then choose what to do with them."])
      expect((await site.post("/admin/post/action", { action: "nix", id: "1" })).status).toBe(403)
    })

    test("hostile text in every field, name and title stays text on every page", async () => {
      const evil = `"><img src=x onerror=alert(1)><script>alert(2)</script>'{{7*7}}&lt;b&gt;\u202e`
      await using room = await start({ ...settings, title: evil, models: { ...settings.models, post: { ...(settings.models!.post as object), inlines: [Comment] } } })
      const { site, boss } = room
      await User.update(boss, { name: evil })
      const section = await Section.create({ name: evil.slice(0, 60), slug: "s", color: evil.slice(0, 20) })
      const tag = await Tag.create({ name: evil.slice(0, 40) })
      const post = await Post.create({ title: evil, slug: "evil", summary: evil, body: evil, section, author: boss, tags: [tag], extra: { [evil]: evil }, source: "https://x.org/?a=%22onmouseover=alert(1)" })
      await Comment.create({ post, name: evil.slice(0, 60), text: evil })
      await site.submit(await site.get(`/admin/post/${post.id}`), { title: `${evil.slice(0, 100)}2`, summary: "x" }, { form: "" })
      const paths = ["", "/post", `/post?q=${encodeURIComponent(evil)}`, `/post/${post.id}`, `/post/${post.id}/history`, `/post/${post.id}/delete`, `/section/${section.id}/delete`, "/comment", "/comment/1", "/user", `/user/${boss.id}`, "/post/add", `/post/choices/author?find=${encodeURIComponent(evil)}`, `/post/choices/tags`, `/post?f.state=${encodeURIComponent(evil)}&sort=${encodeURIComponent(evil)}&date=${encodeURIComponent(evil)}`]
      for (const path of paths) {
        const page = await site.get(`/admin${path}`)
        expect([path, page.status]).toEqual([path, 200])
        expect([path, page.attribute("img[src=x]", "src"), page.find("script:not([src])"), page.attribute("[onerror], [onmouseover]", "class")]).toEqual([path, [], [], []])
        expect(page.headers.get("content-security-policy")).toMatch(/script-src 'nonce-[\w-]+';/)
        expect(page.headers.get("cache-control")).toBe("private, no-store")
      }
      const asked = await site.post("/admin/post/action", { action: "delete", id: String(post.id) })
      expect(asked.attribute("img[src=x]", "src")).toEqual([])
      const wrong = await site.submit(await site.get(`/admin/post/${post.id}`), { title: evil + evil + evil }, { form: "" })
      expect([wrong.status, wrong.attribute("img[src=x]", "src")]).toEqual([422, []])
      expect(wrong.attribute("#f-title", "value")).toEqual([evil + evil + evil])
    })

    test("a link on the site that is no link is not offered; forms without a token are refused", async () => {
      await using room = await start({ models: { post: modelAdmin(Post, { view: () => "javascript:alert(1)" }) } })
      const { site, boss } = room
      const [post] = await posts(boss, 1)
      expect((await site.get(`/admin/post/${post!.id}`)).text).not.toContain("javascript:alert")
      for (const path of [`/admin/post/${post!.id}`, "/admin/post/add", "/admin/post/action", `/admin/post/${post!.id}/delete`, "/admin/-/theme"]) {
        const cookie = [...site.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
        const sent = await site.send(path, { method: "POST", headers: { cookie, origin: "http://localhost", "content-type": "application/x-www-form-urlencoded" }, body: "title=x&action=delete&id=1&confirm=1&count=1&theme=dark" })
        expect([path, sent.status]).toEqual([path, 403])
        const other = await site.send(path, { method: "POST", headers: { cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site", "content-type": "application/json" }, body: "{}" })
        expect([path, other.status]).toEqual([path, 403])
      }
      expect(await Post.all.count()).toBe(1)
    })
  })
}
