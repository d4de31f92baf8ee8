/** How `eval` and `predict` open a model. */
import { Classifier } from '../classifier.js';
import type { ProblemType } from '../model/config.js';
import type { Dtype } from '../runtime/native.js';

export interface LoadFlags {
	readonly dtype?: Dtype;
	readonly threads?: number;
}

export function loadClassifier(folder: string, { dtype, threads }: LoadFlags): Promise<Classifier<ProblemType>> {
	return Classifier.load<ProblemType>(folder, { ...(dtype && { dtype }), ...(threads !== undefined && { threads }) });
}
