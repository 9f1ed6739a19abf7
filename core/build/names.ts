/** PEP 503: names are equal without regard to case and to runs of - _ and . */
export const normalizeName = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');
