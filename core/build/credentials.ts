/** `https://user:token@host/simple`: what stands between the scheme and the host. */
const USER_INFO = /(\w:\/\/)[^\s/@'"]+@/g;

/** A text in which no address says who calls: for messages, logs and records. Pure. */
export const withoutCredentials = (text: string): string => text.replace(USER_INFO, '$1****@');
