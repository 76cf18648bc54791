/** What an API server answers instead of what was asked for. */

export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** CamelCase, from the Status object: NotFound, Conflict, AlreadyExists, TooManyRequests, Expired … */
  readonly reason: string;
  /** From Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export const isStatus = (error: unknown, ...statuses: readonly number[]): error is ApiError =>
  error instanceof ApiError && statuses.includes(error.status);

/** Not there, or another of the same name is. */
export const isGone = (error: unknown): boolean => isStatus(error, 404) || (isStatus(error, 409) && error.reason === 'Conflict');
