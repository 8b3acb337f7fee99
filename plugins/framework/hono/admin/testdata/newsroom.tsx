/** A newsroom: what the admin's tests and screenshots look at. */
import { App } from "../../app/app.ts"
import { User } from "../../auth/models.ts"
import { users } from "../../auth/users.ts"
import { boolean, choice, date, datetime, decimal, email, file, image, integer, json, many, markdown, references, slug, text, url } from "../../db/fields.ts"
import { model } from "../../db/model.ts"
import { admin } from "../admin.ts"
import type { AdminSettings } from "../model/settings.ts"
import { modelAdmin } from "../model/settings.ts"

export const Section = model("section", { name: text({ max: 60, unique: true }), slug: slug({ from: "name", unique: true }), color: text({ max: 20, optional: true }) }, { order: ["name"] })
export const Tag = model("tag", { name: text({ max: 40, unique: true, search: true }) }, { order: ["name"] })

export const Post = model(
  "post",
  {
    title: text({ max: 120, search: true }),
    slug: slug({ from: "title", unique: true }),
    summary: text({ max: 300, optional: true, help: "One or two sentences, shown in lists and feeds." }),
    body: markdown({ default: "" }),
    cover: image({ optional: true }),
    attachment: file({ optional: true }),
    source: url({ optional: true }),
    state: choice({ draft: "Draft", review: "In review", live: "Published" }, { default: "draft", filter: true }),
    section: references(Section, { filter: true }),
    author: references(User, { filter: true, onDelete: "cascade" }),
    tags: many(Tag),
    featured: boolean({ default: false, help: "At the top of the front page." }),
    publishedAt: datetime({ optional: true, filter: true }),
    embargo: date({ optional: true }),
    words: integer({ default: 0, editable: false }),
    fee: decimal({ optional: true, help: "What the author gets, in euro." }),
    extra: json({ optional: true }),
  },
  { order: ["-publishedAt"], url: post => `/posts/${post.slug}` },
)

export const Comment = model(
  "comment",
  { post: references(Post, { onDelete: "cascade" }), name: text({ max: 60 }), email: email({ optional: true }), text: text({ max: 1000 }), approved: boolean({ default: false, filter: true }), at: datetime({ default: () => new Date(), filter: true, editable: false }) },
  { order: ["-at"], title: comment => `${comment.name}: ${comment.text.slice(0, 40)}` },
)

/** Nothing is said about it anywhere: every default. */
export const Reader = model("reader", { name: text({ max: 80 }), email: email({ unique: true }), joined: date({ optional: true }) })

export const settings: AdminSettings = {
  title: "Newsroom",
  timeZone: "Europe/Warsaw",
  models: {
    post: modelAdmin(Post, {
      list: ["cover", "title", "state", "section", "author", "featured", "publishedAt"],
      readonly: ["words"],
      inlines: [Comment],
      fieldsets: [
        { fields: ["title", "slug", "summary", "body"] },
        { title: "Files", fields: ["cover", "attachment", "source"] },
        { title: "More", closed: true, fields: ["fee", "extra", "words"] },
        { title: "Publishing", side: true, fields: ["state", "publishedAt", "embargo", "featured"] },
        { title: "Filed under", side: true, fields: ["section", "author", "tags"] },
      ],
      actions: {
        publish: { label: "Publish", run: async rows => `${await rows.update({ state: "live", publishedAt: new Date() })} posts were published.` },
      },
    }),
    section: { icon: "document" },
  },
  panels: [
    {
      title: "This week",
      render: async () => (
        <p>
          <strong>{await Post.where({ state: "live" }).count()}</strong> posts are published, <strong>{await Comment.where({ approved: false }).count()}</strong> comments wait.
        </p>
      ),
    },
  ],
  pages: [{ path: "report", title: "Report", render: async () => <div class="card">{await Post.all.count()} posts in all</div> }],
}

export function newsroom(given: AdminSettings = settings): App {
  return new App({ name: "newsroom", models: [Post, Comment, Section, Tag, Reader], parts: [users(), admin(given)] })
}
