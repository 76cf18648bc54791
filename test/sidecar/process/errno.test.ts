/** Reasons of system calls by name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errnoName } from '../../../sidecar/process/errno.ts';

describe('the reason of a system call', () => {
  it('has the name that the manuals of Linux use', () => {
    assert.deepEqual([1, 11, 77, 95, 110].map(errnoName), ['EPERM', 'EAGAIN', 'EBADFD', 'EOPNOTSUPP', 'ETIMEDOUT']);
  });

  it('is told by its number when it has no name', () => {
    assert.equal(errnoName(9999), 'errno 9999');
  });
});
