/** The users of the bench: many, so that each session has an identity of its own. All names are of one length. */
export const userName = (user: number): string => `user-${String(user).padStart(7, '0')}@example.com`;
/** Of all of them: no peer looks for one among thousands as fast as we do, and that is not what is measured. */
export const SECRET = 'the pre-shared key of all users';
