"""SAM written a second time, from its official files' keys, for tests: slow, plain, by functions.

A state is a dictionary of weights under official keys. Nothing here is shared with the package.
"""

import math

import torch
from torch.nn import functional as F

HEADS = 12
WINDOW = 14
GLOBAL = (2, 5, 8, 11)


def linear(state, name, x):
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def norm(state, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def channel_norm(state, name, x):
    return norm(state, name, x.movedim(1, -1), 1e-6).movedim(-1, 1)


def conv(state, name, x, **how):
    return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **how)


def attend(query, key, value, heads, bias=0.0):
    """Attend with (N, C) queries to (M, C) keys; bias: (heads, N, M)."""
    outs = []
    for n, (q, k, v) in enumerate(
        zip(*(each.chunk(heads, dim=-1) for each in (query, key, value)), strict=True)
    ):
        own = bias[n] if isinstance(bias, torch.Tensor) else bias
        outs.append((q @ k.T / math.sqrt(q.shape[-1]) + own).softmax(dim=-1) @ v)
    return torch.cat(outs, dim=-1)


def relative_bias(state, name, query, side):
    """Return (heads, side², side²): every query with what belongs to the way to every key."""
    places = [(y, x) for y in range(side) for x in range(side)]
    table = {axis: state[f"{name}.rel_pos_{axis}"] for axis in "hw"}
    rows = torch.tensor([[a[0] - b[0] + side - 1 for b in places] for a in places])
    columns = torch.tensor([[a[1] - b[1] + side - 1 for b in places] for a in places])
    ways = table["h"][rows] + table["w"][columns]
    return torch.stack([torch.einsum("nc,nmc->nm", q, ways) for q in query.chunk(HEADS, dim=-1)])


def window_attention(state, name, tokens):
    """Attend in one (side, side, C) window."""
    side, _, C = tokens.shape
    query, key, value = linear(state, f"{name}.qkv", tokens.reshape(-1, C)).chunk(3, dim=-1)
    bias = relative_bias(state, name, query, side)
    out = attend(query, key, value, HEADS, bias)
    return linear(state, f"{name}.proj", out).view(side, side, C)


def attention(state, name, tokens, window):
    side = len(tokens)
    if not window:
        return window_attention(state, name, tokens)
    fill = -side % window
    filled = F.pad(tokens, (0, 0, 0, fill, 0, fill))
    for y in range(0, side, window):
        for x in range(0, side, window):
            part = filled[y : y + window, x : x + window].clone()
            filled[y : y + window, x : x + window] = window_attention(state, name, part)
    return filled[:side, :side]


def adapter(state, name, tokens):
    grid = tokens.movedim(-1, 0)
    squeezed = F.relu(linear(state, f"{name}.channel.0", grid.mean(dim=(1, 2))))
    weighed = torch.sigmoid(linear(state, f"{name}.channel.2", squeezed))[:, None, None] * grid
    low = F.relu(conv(state, f"{name}.spatial.0", weighed[None], stride=2, padding=1))
    high = F.conv_transpose2d(low, state[f"{name}.spatial.2.weight"], stride=2, padding=1)
    return norm(state, f"{name}.norm", (grid + F.relu(high)[0]).movedim(0, -1), 1e-5)


def block(state, name, tokens, window):
    tokens = tokens + attention(
        state, f"{name}.attn", norm(state, f"{name}.norm1", tokens, 1e-6), window
    )
    inner = norm(state, f"{name}.norm2", tokens, 1e-6)
    wide = F.gelu(linear(state, f"{name}.mlp.lin1", inner))
    out = tokens + linear(state, f"{name}.mlp.lin2", wide)
    if f"{name}.Adapter.norm.weight" in state:
        out = out + adapter(state, f"{name}.Adapter", inner)
    return out


def encode(state, image):
    """Embed one (3, S, S) image; returns (256, S / 16, S / 16)."""
    name = "image_encoder"
    tokens = conv(state, f"{name}.patch_embed.proj", image[None], stride=16)[0].movedim(0, -1)
    tokens = tokens + state[f"{name}.pos_embed"][0]
    layers = len({key.split(".")[2] for key in state if key.startswith(f"{name}.blocks.")})
    for n in range(layers):
        tokens = block(state, f"{name}.blocks.{n}", tokens, 0 if n in GLOBAL else WINDOW)
    grid = conv(state, f"{name}.neck.0", tokens.movedim(-1, 0)[None])
    grid = conv(state, f"{name}.neck.2", channel_norm(state, f"{name}.neck.1", grid), padding=1)
    return channel_norm(state, f"{name}.neck.3", grid)[0]


def position(state, places):
    """Encode (..., 2) places of 0 to 1, x first."""
    matrix = state["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    angles = 2 * torch.pi * ((2 * places - 1) @ matrix)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def prompt_tokens(state, size, points, labels, box):
    name = "prompt_encoder"
    tokens = [
        position(state, (point + 0.5) / size) + state[f"{name}.point_embeddings.{label}.weight"][0]
        for point, label in zip(points, labels.tolist(), strict=True)
    ]
    if box is None:
        tokens.append(state[f"{name}.not_a_point_embed.weight"][0])
    else:
        tokens += [
            position(state, (corner + 0.5) / size) + state[f"{name}.point_embeddings.{n}.weight"][0]
            for n, corner in ((2, box[:2]), (3, box[2:]))
        ]
    return torch.stack(tokens)


def mask_embedding(state, mask):
    """Return what a (1, S / 4, S / 4) mask, or none, adds to an embedding."""
    if mask is None:
        return state["prompt_encoder.no_mask_embed.weight"][0][:, None, None]
    name = "prompt_encoder.mask_downscaling"
    grid = F.gelu(channel_norm(state, f"{name}.1", conv(state, f"{name}.0", mask[None], stride=2)))
    grid = F.gelu(channel_norm(state, f"{name}.4", conv(state, f"{name}.3", grid, stride=2)))
    return conv(state, f"{name}.6", grid)[0]


def mlp(state, name, x):
    for n in range(2):
        x = F.relu(linear(state, f"{name}.layers.{n}", x))
    return linear(state, f"{name}.layers.2", x)


def cross(state, name, query, key, value):
    parts = (("q", query), ("k", key), ("v", value))
    query, key, value = (linear(state, f"{name}.{part}_proj", x) for part, x in parts)
    return linear(state, f"{name}.out_proj", attend(query, key, value, 8))


def two_way(state, tokens, image, places):
    """Let (N, 256) tokens and (M, 256) cells of an image see one another."""
    start, name = tokens, "mask_decoder.transformer"
    for n in range(2):
        layer = f"{name}.layers.{n}"
        if n:
            seen = tokens + start
            tokens = tokens + cross(state, f"{layer}.self_attn", seen, seen, tokens)
        else:
            tokens = cross(state, f"{layer}.self_attn", tokens, tokens, tokens)
        tokens = norm(state, f"{layer}.norm1", tokens, 1e-5)
        to_image = f"{layer}.cross_attn_token_to_image"
        tokens = tokens + cross(state, to_image, tokens + start, image + places, image)
        tokens = norm(state, f"{layer}.norm2", tokens, 1e-5)
        wide = F.relu(linear(state, f"{layer}.mlp.lin1", tokens))
        tokens = norm(
            state, f"{layer}.norm3", tokens + linear(state, f"{layer}.mlp.lin2", wide), 1e-5
        )
        to_token = f"{layer}.cross_attn_image_to_token"
        image = image + cross(state, to_token, image + places, tokens + start, tokens)
        image = norm(state, f"{layer}.norm4", image, 1e-5)
    last = f"{name}.final_attn_token_to_image"
    tokens = tokens + cross(state, last, tokens + start, image + places, image)
    return norm(state, f"{name}.norm_final_attn", tokens, 1e-5), image


def decode(state, size, embedding, points, labels, mask=None, box=None):
    """Answer with all four (S / 4, S / 4) masks and their predicted IoU, the single one first."""
    side = size // 16
    steps = (torch.arange(side) + 0.5) / side
    places = torch.stack([steps.repeat(side), steps.repeat_interleave(side)], dim=-1)
    name = "mask_decoder"
    own = [state[f"{name}.iou_token.weight"], state[f"{name}.mask_tokens.weight"]]
    tokens = torch.cat([*own, prompt_tokens(state, size, points, labels, box)])
    image = (embedding + mask_embedding(state, mask)).flatten(1).T
    tokens, image = two_way(state, tokens, image, position(state, places))
    grid, up = image.T.reshape(1, -1, side, side), f"{name}.output_upscaling"
    for n in (0, 3):
        weights = state[f"{up}.{n}.weight"], state[f"{up}.{n}.bias"]
        grid = F.conv_transpose2d(grid, *weights, stride=2)
        grid = F.gelu(channel_norm(state, f"{up}.1", grid) if n == 0 else grid)
    hyper = [mlp(state, f"{name}.output_hypernetworks_mlps.{n}", tokens[n + 1]) for n in range(4)]
    masks = torch.einsum("nc,chw->nhw", torch.stack(hyper), grid[0])
    return masks, mlp(state, f"{name}.iou_prediction_head", tokens[0])
