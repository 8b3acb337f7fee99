/** What is wrong with a picture, as the key of a message to people. */
export type PictureFault = "notImage" | "tooManyPixels"

/** 50 megapixels: more than cameras make, and 200 MB when decoded. */
export const MAX_PIXELS = 50_000_000

export interface PictureFacts {
  readonly width: number
  readonly height: number
}

/**
 * Reads the head of a picture only. A file of a few kB that claims 60,000 x 60,000 pixels and fills the memory of
 * whoever decodes it (image bomb) is refused before anything is decoded.
 */
export async function lookAtPicture(path: string, maxPixels = MAX_PIXELS): Promise<PictureFacts | PictureFault> {
  try {
    const { width, height } = await new Bun.Image(path, { maxPixels }).metadata()
    if (!(width > 0 && height > 0)) return "notImage"
    return width * height > maxPixels ? "tooManyPixels" : { width, height }
  } catch (error) {
    return (error as { code?: string }).code === "ERR_IMAGE_TOO_MANY_PIXELS" ? "tooManyPixels" : "notImage"
  }
}
