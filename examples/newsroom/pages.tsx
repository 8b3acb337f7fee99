import { type AppEnv, asset, Flash, type Layout, Markdown } from "edge/app"
import type { UserRow } from "edge/auth"
import type { Loaded, Row } from "edge/db"
import { FeedLinks } from "edge/feeds"
import { type BoundForm, FormView } from "edge/forms"
import { useRequestContext } from "hono/jsx-renderer"
import { type Article, Comment, Section } from "./models.ts"

type SectionRow = Row<(typeof Section)["fields"]>
type Whole = Loaded<(typeof Article)["fields"], "section" | "author">
type Listed = Omit<Whole, "body">
type Said = Loaded<(typeof Comment)["fields"], "author">

export const NewsLayout: Layout = ({ title, description, sections, children }) => {
  const { user } = useRequestContext<AppEnv>().var
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title === undefined ? "The Newsroom" : `${title} · The Newsroom`}</title>
        {description !== undefined && <meta name="description" content={description} />}
        <link rel="stylesheet" href={asset("style.css")} />
        <link rel="icon" href={asset("icon.svg")} />
        <FeedLinks />
      </head>
      <body>
        <a class="skip" href="#main">To the text</a>
        <header class="top">
          <Tools user={user} />
          <a class="masthead" href="/">The Newsroom</a>
          <nav class="sections" aria-label="Sections">
            {((sections as SectionRow[] | undefined) ?? []).map(section => (
              <a href={`/section/${section.slug}`}>{section.name}</a>
            ))}
          </nav>
        </header>
        <main id="main">
          <Flash />
          {children}
        </main>
        <footer>
          <p>
            Made with edge. <a href="/feed.xml">Feed</a> <a href="/sitemap.xml">Sitemap</a>
          </p>
        </footer>
      </body>
    </html>
  )
}

function Tools({ user }: { user: UserRow | null }) {
  return (
    <nav class="tools" aria-label="You">
      <form action="/search" role="search">
        <input type="search" name="q" placeholder="Search" aria-label="Search" />
      </form>
      {user === null ? <a href="/login">Log in</a> : <a href="/account">{user.name}</a>}
      {user === null ? <a class="button" href="/signup">Sign up</a> : user.isStaff && <a class="button" href="/admin">Admin</a>}
    </nav>
  )
}

export function Front({ articles, next }: { articles: readonly Listed[]; next: string | undefined }) {
  const [lead, ...rest] = articles
  return (
    <>
      {lead !== undefined && <Card article={lead} lead />}
      <Cards articles={rest} />
      <Older next={next} />
    </>
  )
}

export function Listing({ heading, blurb, articles, next }: { heading: string; blurb?: string | null; articles: readonly Listed[]; next: string | undefined }) {
  return (
    <>
      <h1 class="heading">{heading}</h1>
      {blurb !== undefined && blurb !== null && <p class="blurb">{blurb}</p>}
      {articles.length === 0 && <p class="blurb">Nothing here yet.</p>}
      <Cards articles={articles} />
      <Older next={next} />
    </>
  )
}

function Cards({ articles }: { articles: readonly Listed[] }) {
  return (
    <div class="cards">
      {articles.map(article => (
        <Card article={article} />
      ))}
    </div>
  )
}

function Card({ article, lead = false }: { article: Listed; lead?: boolean }) {
  return (
    <article class={lead ? "card lead" : "card"}>
      <a class={`plate tone-${article.sectionId % 6}`} href={`/${article.slug}`} tabindex={-1} aria-hidden="true">
        {article.cover === null ? article.section.name.charAt(0) : <img src={`/media/${article.cover}`} alt="" loading="lazy" />}
      </a>
      <div>
        <a class="kicker" href={`/section/${article.section.slug}`}>{article.section.name}</a>
        <h2>
          <a href={`/${article.slug}`}>{article.title}</a>
        </h2>
        <p>{article.summary}</p>
        <Byline article={article} />
      </div>
    </article>
  )
}

function Byline({ article }: { article: Listed }) {
  return (
    <p class="byline">
      {article.author.name}, <When at={article.publishedAt} />
    </p>
  )
}

const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" })

function When({ at }: { at: Date | null }) {
  return at === null ? <>draft</> : <time datetime={at.toISOString()}>{day.format(at)}</time>
}

function Older({ next }: { next: string | undefined }) {
  return next === undefined ? <></> : <p class="older"><a class="button" href={`?after=${next}`} rel="next">Older</a></p>
}

export function Reading({ article, comments, form }: { article: Whole; comments: readonly Said[]; form: BoundForm | undefined }) {
  return (
    <article class="reading">
      <a class="kicker" href={`/section/${article.section.slug}`}>{article.section.name}</a>
      <h1>{article.title}</h1>
      <p class="standfirst">{article.summary}</p>
      <Byline article={article} />
      {article.cover !== null && <img class="cover" src={`/media/${article.cover}`} alt="" />}
      <div class="body">
        <Markdown text={article.body} />
      </div>
      <section class="comments" id="comments">
        <h2>{comments.length === 1 ? "1 comment" : `${comments.length} comments`}</h2>
        <ol>
          {comments.map(comment => (
            <li id={`comment-${comment.id}`}>
              <p class="byline">
                {comment.author.name}, <When at={comment.at} />
              </p>
              <p class="said">{comment.body}</p>
            </li>
          ))}
        </ol>
        {form === undefined ? <p><a href={`/login?next=/${article.slug}`}>Log in</a> to say something.</p> : <FormView form={form} submit="Comment" />}
      </section>
    </article>
  )
}
