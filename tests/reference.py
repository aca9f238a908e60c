"""Float64 NumPy references, written as loops from the equations, that tests compare with."""

import numpy as np


def hat(z, num_levels=256):
    """Debevec's hat weights with a peak of 1."""
    return min(z, num_levels - 1 - z) / ((num_levels - 1) / 2)


def debevec_full_system(levels, log_times, smoothness=20.0, num_levels=256, weight=hat):
    """Eq. (1) with all ln E_i as unknowns, solved by lstsq; g [num_levels]."""
    num_samples, num_exposures = levels.shape
    rows, targets = [], []
    for i in range(num_samples):
        for j in range(num_exposures):
            w = weight(levels[i, j], num_levels)
            row = np.zeros(num_levels + num_samples)
            row[levels[i, j]] = w
            row[num_levels + i] = -w
            rows.append(row)
            targets.append(w * log_times[j])
    for z in range(1, num_levels - 1):
        row = np.zeros(num_levels + num_samples)
        row[z - 1 : z + 2] = smoothness * weight(z, num_levels) * np.array([1, -2, 1])
        rows.append(row)
        targets.append(0)
    anchor = np.zeros(num_levels + num_samples)
    anchor[num_levels // 2] = 1
    solution = np.linalg.lstsq(np.array([*rows, anchor]), np.array([*targets, 0]), rcond=None)[0]
    return solution[:num_levels] - solution[num_levels // 2]


def merge(stack_u8, log_times, g, weight=hat):
    """Eq. (2) pixel by pixel for well-exposed pixels; NaN where nothing weighs anything."""
    n, h, w, c = stack_u8.shape
    radiance = np.full((h, w, c), np.nan)
    for y in range(h):
        for x in range(w):
            for k in range(c):
                total = above = 0.0
                for j in range(n):
                    z = int(stack_u8[j, y, x, k])
                    total += weight(z)
                    above += weight(z) * (g[k, z] - log_times[j])
                if total > 0:
                    radiance[y, x, k] = np.exp(above / total - g.max())
    return radiance
