/** The folder, two levels deep, that a file counts for: `numpy/core`, or `numpy` for a file right in it, `six` for six.py. */
function folderOf(path: string): string {
  const parts = path.replace(/^python\//, '').split('/');
  const [top = path] = parts;
  if (parts.length === 1) return top.replace(/\.pyc?$/, '');
  return parts.length === 2 ? top : parts.slice(0, 2).join('/');
}

/** Bytes by folder, two levels deep, largest first; names in a layer's zip and in its libraries give the same folders. */
export function folderSizes(files: readonly { path: string; bytes: number }[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { path, bytes } of files) sums.set(folderOf(path), (sums.get(folderOf(path)) ?? 0) + bytes);
  return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
