/** Live lines on a terminal, one plain line an event elsewhere, nothing under --json. */
export const rendererOf = (json: boolean) => ({
  renderer: 'default' as const,
  fallbackRenderer: 'simple' as const,
  silentRendererCondition: json,
  // Ctrl-C belongs to the command, which has an embedded AWS to end; listr2 would exit at once.
  registerSignalListeners: false,
});
