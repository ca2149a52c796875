/**
 * How often a property is tried: PROPERTY_RUNS where that is set (`npm run check:properties`: 10,000), else as often as `npm test`
 * has time for.
 */
export const propertyRuns = (usual: number): { readonly numRuns: number } => ({
  numRuns: Number(process.env['PROPERTY_RUNS'] ?? usual),
});
