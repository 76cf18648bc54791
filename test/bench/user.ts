/** The users of the bench: many, so that each session has an identity of its own. */
export const userName = (user: number): string => `user-${user}@example.com`;
export const secretOf = (user: number): string => `pre-shared key of user ${user}`;
