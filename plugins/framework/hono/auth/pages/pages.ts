export interface Pages {}
