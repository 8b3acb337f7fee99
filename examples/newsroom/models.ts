import { User } from "edge/auth"
import { datetime, image, markdown, model, ne, references, slug, text } from "edge/db"

export const Section = model(
  "section",
  {
    name: text({ max: 40, unique: true }),
    slug: slug({ from: "name", unique: true }),
    blurb: text({ max: 200, optional: true }),
  },
  { order: ["name"], url: section => `/section/${section.slug}` },
)

export const Article = model(
  "article",
  {
    title: text({ max: 120, search: true }),
    slug: slug({ from: "title", unique: true }),
    section: references(Section, { filter: true }),
    author: references(User, { filter: true }),
    summary: text({ max: 300, search: true }),
    body: markdown(),
    cover: image({ optional: true }),
    publishedAt: datetime({ optional: true, filter: true, help: "Empty: a draft." }),
  },
  {
    order: ["-publishedAt"],
    scopes: { published: articles => articles.where({ publishedAt: ne(null) }) },
    url: article => `/${article.slug}`,
    indexes: [{ fields: ["section", "publishedAt"] }],
  },
)

export const Comment = model(
  "comment",
  {
    article: references(Article, { onDelete: "cascade", editable: false }),
    author: references(User, { onDelete: "cascade", editable: false }),
    body: text({ max: 2000, label: "Your comment" }),
    at: datetime({ default: () => new Date(), editable: false, index: true }),
  },
  { order: ["at"], title: comment => comment.body.slice(0, 60) },
)
