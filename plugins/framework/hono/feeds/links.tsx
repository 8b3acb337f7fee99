import { currentApp } from "../app/current.ts"
import { FEED_TYPES } from "./paths.ts"

/** For the head of pages: browsers and readers find the app's feeds. */
export function FeedLinks() {
  return (
    <>
      {currentApp().feeds.map(({ title, format, path }) => (
        <link rel="alternate" type={FEED_TYPES[format]} title={title} href={path} />
      ))}
    </>
  )
}
