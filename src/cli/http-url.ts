/** Does this URL ask for something by HTTP, rather than for a stream? */
export const isHttp = (url: string): boolean => /^quic:\/\/[^/?#]+\//i.test(url);
