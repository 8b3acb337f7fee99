/** "edge/files": where uploads are kept. */
export { files, useFiles, type FileFacts, type FileSource, type FileStorage, type PutOptions, type StoredFile } from "./storage.ts"
export { LocalFiles } from "./local.ts"
export { S3Files, type S3Options } from "./s3.ts"
export { isPicture, serveFile } from "./serve.ts"
export { sniff } from "./sniff.ts"
export { lookAtPicture, MAX_PIXELS, type PictureFacts, type PictureFault } from "./picture.ts"
