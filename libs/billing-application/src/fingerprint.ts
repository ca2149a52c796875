import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** sha256 (hex) of the canonical JSON (RFC 8785) of what a command asks for: tells a repeated key from a reused one. */
export function fingerprintOf(content: object): string {
  return hash('sha256', canonicalize(content) ?? '', 'hex');
}
