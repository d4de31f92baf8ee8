// How much arithmetic a training step is, counting what must be done: no padding, and every row of the last layer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function shapeOf(model) {
	const { dim, hidden_dim: hidden, n_layers: layers } = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
	return { dim, hidden, layers };
}

/**
 * Multiplications and additions of a step on rows of these lengths: each weight of a linear layer meets each token three times (forward,
 * gradient of the input, gradient of the weight), each pair of tokens of a row six vectors of `dim` (two forward, four backward; what attention
 * computes a second time is not counted).
 */
export function operations({ dim, hidden, layers }, lengths) {
	const tokens = lengths.reduce((total, length) => total + length, 0);
	const pairs = lengths.reduce((total, length) => total + length * length, 0);
	return 2 * layers * (3 * tokens * (4 * dim * dim + 2 * dim * hidden) + 6 * pairs * dim);
}
