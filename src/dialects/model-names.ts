/**
 * Whose word the name of a model is at a provider, and so what a codec may take from it: `vendor`: of those who make the models of the dialect,
 * so that a name that is not known yet is of a newer one; `deployment`: of whoever deployed one of these models, which may be the model's own
 * name, in any case of letters, or tell nothing; `anyone`: of whoever runs the server, or of a maker of other models.
 */
export type ModelNames = 'vendor' | 'deployment' | 'anyone';

/** A model as a codec is told of it. */
export interface NamedModel {
  name: string;
  names: ModelNames;
}
