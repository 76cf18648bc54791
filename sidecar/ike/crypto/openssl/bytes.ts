/** The forms in which node:crypto takes and gives bytes. */
import type { Bytes } from '../../wire/bytes.ts';

/** It answers Buffers; an SA is plain data, so they leave as Uint8Arrays over the same memory. */
export const plain = (bytes: Bytes): Bytes => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

export const base64url = (bytes: Bytes): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url');

export const unbase64url = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'base64url'));
